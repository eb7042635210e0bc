// Passwords as the users table keeps them: scrypt$N$r$p$salt$hash, the last two in base64.
import { scryptSync, timingSafeEqual } from "node:crypto";

const FORM = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)$/;

/** Is the stored text a hash that a password could be compared with? */
export function isReadable(stored) {
  return FORM.test(stored ?? "");
}

/** Is it the hash of this password? */
export function matches(password, stored) {
  const parts = FORM.exec(stored ?? "");
  if (parts === null) {
    return false;
  }
  const [N, r, p] = parts.slice(1, 4).map(Number);
  const hash = Buffer.from(parts[5], "base64");
  return timingSafeEqual(scryptSync(password, Buffer.from(parts[4], "base64"), hash.length, { N, r, p }), hash);
}
