"""The look of a report: one style sheet, light and dark, on screens and on paper."""

from typing import Final

LIGHT: Final = {
    "ground": "#ffffff", "paper": "#f6f7f9", "ink": "#1b1f24", "soft": "#59636e",
    "edge": "#d5dae0", "grid": "#e6e9ed", "alarm": "#b42318", "good": "#0f6b3c",
    "s0": "#0072b2", "s1": "#d55e00", "s2": "#00805a",
    "s3": "#a8478a", "s4": "#8a6d00", "s5": "#5b5bd6",
    "train": "#6b7480", "val": "#0072b2", "ema": "#d55e00",
}  # fmt: skip
"""Colours on a light ground, after Okabe and Ito, darkened to a contrast of 3 to 1."""

DARK: Final = {
    "ground": "#15181c", "paper": "#1e2227", "ink": "#e8eaed", "soft": "#a3abb5",
    "edge": "#3a4149", "grid": "#2c3239", "alarm": "#ff8a7a", "good": "#5fd39a",
    "s0": "#56b4e9", "s1": "#f09a3e", "s2": "#2fc79b",
    "s3": "#dd8fc0", "s4": "#e3d24a", "s5": "#a3a3ff",
    "train": "#9aa4b0", "val": "#56b4e9", "ema": "#f09a3e",
}  # fmt: skip
"""The same on a dark ground."""

_RULES: Final = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
  font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:28px;line-height:1.2;margin:8px 0 4px}
h2{font-size:19px;margin:36px 0 10px}
h3{font-size:15px;margin:0 0 6px}
h3 small{font-weight:400;color:var(--soft);margin-left:10px}
p{margin:6px 0 10px;max-width:80ch}
.lead{font-size:17px}
p.note,footer{color:var(--soft);font-size:13px}
.state{border-left:4px solid var(--s1);padding:6px 12px;background:var(--ground)}
dl{display:flex;flex-wrap:wrap;gap:8px 32px;margin:14px 0}
dt{color:var(--soft);font-size:12px}
dd{margin:0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:14px}
figure,article{margin:0 0 14px;padding:14px 16px;background:var(--ground);
  border:1px solid var(--edge);border-radius:8px}
.cards figure{margin:0}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(380px,100%),1fr));gap:10px}
figcaption ul,.readings{list-style:none;margin:8px 0 0;padding:0;font-size:13px}
figcaption li,.readings li{margin:3px 0;padding-left:10px;border-left:3px solid var(--edge)}
li.warning{border-color:var(--alarm)}
li.warning b{color:var(--alarm)}
li.good{border-color:var(--good)}
li.good b{color:var(--good)}
.scroll{overflow-x:auto;background:var(--ground);border:1px solid var(--edge);border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
.models table{font-size:16px}
.models th{font-size:13px}
th,td{padding:5px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}
th{color:var(--soft);font-weight:600}
.left{text-align:left}
tbody tr:last-child td{border-bottom:0}
pre{overflow-x:auto;padding:12px 16px;font-size:13px;background:var(--ground);
  border:1px solid var(--edge);border-radius:8px}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;max-width:none}
.key{display:inline-flex;align-items:center;gap:4px}
svg{display:block;width:100%;height:auto}
.swatch{width:30px;height:18px}
svg text{font-size:11px;fill:var(--soft)}
svg .title{fill:var(--ink)}
.start{text-anchor:start}
.middle{text-anchor:middle}
.end{text-anchor:end}
.ground{fill:var(--ground)}
.grid{stroke:var(--grid)}
.rule{stroke:var(--soft);stroke-dasharray:2 3}
.tint{fill-opacity:.06;stroke:none}
.bar{fill-opacity:.85;stroke:none}
g.s0,g.s1,g.s2,g.s3,g.s4,g.s5{fill-opacity:.7;stroke:var(--ground);stroke-width:.6}
g.faint{fill-opacity:.15;stroke:var(--soft)}
.failed{fill:none;stroke:var(--alarm);stroke-width:1.3}
.best{fill:none;stroke:var(--ink);stroke-width:1.8}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}
.so-far{stroke:var(--ink);stroke-width:1.3}
.line.l0{stroke:var(--s0)}
.line.l1{stroke:var(--s1);stroke-dasharray:7 3}
.line.l2{stroke:var(--s2);stroke-dasharray:2 2}
.line.l3{stroke:var(--s3);stroke-dasharray:9 3 2 3}
.line.l4{stroke:var(--s4)}
.line.l5{stroke:var(--s5);stroke-dasharray:4 4}
.train{stroke:var(--train);stroke-dasharray:5 3}
.val{stroke:var(--val)}
.ema{stroke:var(--ema);stroke-width:2.4;stroke-dasharray:1 4;stroke-linecap:round}
@media print{
  body{background:#fff;font-size:11px}
  main{max-width:none;padding:0}
  h2,.legend{break-after:avoid}
  figure,article,tr{break-inside:avoid}
  .cards,.pair{grid-template-columns:1fr 1fr}
  .scroll,pre{overflow:visible}
  pre{white-space:pre-wrap}
  th,td{padding:2px 4px;white-space:normal;font-size:9px}
}
"""


def style_sheet() -> str:
    """Return the style sheet; what is dark on a screen is light on paper."""
    stages = "".join(f".s{i}{{fill:var(--s{i})}}\n" for i in range(6))
    dark = f"@media screen and (prefers-color-scheme:dark){{{_root(DARK)}}}\n"
    return f"{_root(LIGHT)}\n{dark}{stages}{_RULES}"


def _root(colours: dict[str, str]) -> str:
    return ":root{" + ";".join(f"--{name}:{value}" for name, value in colours.items()) + "}"
