"""The watch: reads facts from stores, judges them purely, and tells people what is not as it must be."""
