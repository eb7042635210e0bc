"""How the report looks: on a screen light or dark, on a phone, and on paper."""

STYLE = """
:root{color-scheme:light dark;--page:#eef1f5;--card:#fff;--ink:#17212d;--soft:#566474;--line:#dbe1e8;--track:#e6ebf1;
--one:#2c6aa8;--two:#7fb1de;--ok:#14744a;--ok-soft:#e2f3ea;--bad:#b3212b;--bad-soft:#fbe6e7;--warn:#8a5500;
--warn-soft:#fdf0d9;--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media screen and (prefers-color-scheme:dark){:root{--page:#0e1318;--card:#171e26;--ink:#e6ebf1;--soft:#9dabba;
--line:#2b3641;--track:#25303b;--one:#4f97db;--two:#2d5f91;--ok:#4cc38a;--ok-soft:#132c20;--bad:#ff7b7f;
--bad-soft:#3a1a1d;--warn:#e6b055;--warn-soft:#33270f}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,"Liberation Sans",sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.05rem;margin:0;font-weight:600}
h2{font-size:1.1rem;margin:0 0 .75rem}
h3{font-size:.95rem;margin:1.25rem 0 .5rem}
p{margin:.4rem 0}
code{font-family:var(--mono);font-size:.86em;overflow-wrap:anywhere}
td,dd,li,code,p,.said{unicode-bidi:isolate}
.soft{color:var(--soft)}
.head{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.25rem 1rem;margin-bottom:1rem}
section,.verdict{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.1rem 1.25rem;
margin:0 0 1rem}
.verdict{border-left:10px solid var(--ok);padding:1.25rem 1.5rem}
.verdict.failed{border-left-color:var(--bad)}
.word{font-size:clamp(2.3rem,9vw,3.6rem);line-height:1.05;font-weight:800;letter-spacing:-.02em;color:var(--ok);margin:0}
.failed .word{color:var(--bad)}
.verdict .said{font-size:1.1rem;margin:.5rem 0 .9rem}
.chip{display:inline-block;border-radius:99px;padding:.15rem .7rem;font-size:.85rem;font-weight:600;white-space:nowrap}
.chip{background:var(--track);color:var(--ink)}
.chip.ok{background:var(--ok-soft);color:var(--ok)}
.chip.bad{background:var(--bad-soft);color:var(--bad)}
.chip.warn{background:var(--warn-soft);color:var(--warn)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:1rem;margin:0 0 1rem}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.9rem 1.1rem}
.tile b{display:block;font-size:1.55rem;line-height:1.25;font-weight:700;font-variant-numeric:tabular-nums}
.tile.bad b{color:var(--bad)}
.tile span{display:block;color:var(--soft);font-size:.86rem}
dl{display:grid;grid-template-columns:minmax(9rem,13rem) 1fr;gap:.35rem 1rem;margin:0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.finding{border-left:4px solid var(--bad);background:var(--bad-soft);border-radius:0 6px 6px 0;padding:.5rem .8rem;
margin:0 0 .5rem;overflow-wrap:anywhere}
.finding.drill{border-left-color:var(--warn);background:var(--warn-soft)}
.finding b{margin-right:.4rem}
ul.notes{margin:.3rem 0;padding-left:1.2rem}
ul.notes li{overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th{text-align:left;color:var(--soft);font-weight:600;border-bottom:1px solid var(--line);padding:.35rem .6rem .35rem 0}
td{border-bottom:1px solid var(--line);padding:.4rem .6rem .4rem 0;vertical-align:top;overflow-wrap:break-word}
tr:last-child td{border-bottom:0}
.figure{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
details{margin-top:.75rem}
summary{cursor:pointer;color:var(--one);font-weight:600}
details>:nth-child(2){margin-top:.6rem}
svg{display:block;overflow:visible;width:100%}
.one{fill:var(--one)}.two{fill:var(--two)}.bad-fill{fill:var(--bad)}.track{fill:var(--track)}
.limit{stroke:var(--ink);stroke-width:2;stroke-dasharray:5 3}.median{stroke:var(--soft);stroke-dasharray:4 4}
.expected{fill:none;stroke:var(--soft);stroke-width:1.5}
svg text{fill:var(--ink);font-size:12px}
figure{margin:0 0 .5rem}
figcaption{color:var(--soft);font-size:.9rem;margin-bottom:.6rem}
.bars{display:grid;grid-template-columns:minmax(8rem,16rem) 1fr auto;gap:.35rem .9rem;align-items:center;margin:.5rem 0}
.bars>span{min-width:0;overflow-wrap:anywhere;font-size:.9rem}
.bars .figure{font-size:.88rem}
.bars .off{color:var(--bad);font-weight:600}
.ends{display:flex;justify-content:space-between;gap:1rem;color:var(--soft);font-size:.82rem;margin-top:.3rem}
.pair figure{display:flex;flex-direction:column;justify-content:flex-end}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:1.5rem}
.item{display:grid;grid-template-columns:9.5rem 1fr;gap:.2rem .8rem;padding:.5rem 0;border-bottom:1px solid var(--line)}
.item:last-child{border-bottom:0}
.item .chip{align-self:start;justify-self:start;font-size:.78rem;padding:.1rem .6rem}
.item small{display:block;color:var(--soft);font-size:.85rem;overflow-wrap:anywhere}
pre{background:var(--track);border-radius:6px;padding:.7rem .9rem;overflow-x:auto;font:.84rem/1.5 var(--mono);
margin:.5rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
footer{color:var(--soft);font-size:.85rem;padding:0 .25rem}
@media (max-width:36rem){main{padding:1rem .6rem 3rem}section,.verdict{padding:1rem}dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:.5rem}.bars{grid-template-columns:1fr auto;grid-auto-flow:dense}
.bars>svg{grid-column:1/-1;margin-bottom:.35rem}
.bars>.figure{grid-column:2}.bars>span:first-child{grid-column:1}.item{grid-template-columns:1fr}
.tiles{grid-template-columns:1fr 1fr;gap:.6rem}.tile{padding:.7rem .8rem}.tile b{font-size:1.25rem}}
@media print{body{background:#fff;font-size:10pt}main{max-width:none;padding:0}.tile,.verdict,.item,.bars>*{
break-inside:avoid}h2{break-after:avoid}section,.verdict,.tile{border-color:#bbb}
svg,.chip,.finding{-webkit-print-color-adjust:exact;print-color-adjust:exact}details:not([open]){display:none}}
"""

# Plans stand in the reports of operations alone: those of drills keep their bytes.
OPERATION_STYLE = f"""{STYLE}ul.notes li.inner{{margin-left:1.2rem;list-style:circle}}
section>h3:first-of-type{{margin-top:.25rem}}
"""
