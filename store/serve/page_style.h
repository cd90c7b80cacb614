/*
 * The status page's style sheet: one column, light or dark as the reader's
 * machine has it, no pictures, nothing from elsewhere.
 */
#ifndef HOLDFAST_STORE_SERVE_PAGE_STYLE_H
#define HOLDFAST_STORE_SERVE_PAGE_STYLE_H

static const char page_style[] =
	":root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;"
	"--ink:#1b2430;--soft:#5b6675;--line:#e3e7ec;--good:#1a7f4b;"
	"--warn:#a15c00;--bad:#c0262d;--good-ground:#e6f4ec;"
	"--warn-ground:#fdf1dd;--bad-ground:#fce8e8}"
	"@media(prefers-color-scheme:dark){:root{--ground:#12161c;"
	"--card:#1a2028;--ink:#e4e9ef;--soft:#93a0b0;--line:#2a323d;"
	"--good:#4fc587;--warn:#f0b458;--bad:#ff7b7b;--good-ground:#15301f;"
	"--warn-ground:#38290f;--bad-ground:#3a191b}}"
	"*{box-sizing:border-box}a{color:inherit}"
	"body{margin:0 auto;max-width:72rem;padding:1.5rem 1rem 3rem;"
	"background:var(--ground);color:var(--ink);"
	"font:15px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif;"
	"font-variant-numeric:tabular-nums}"
	"header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.3rem "
	"1rem;margin-bottom:1rem}"
	"h1{margin:0;font-size:1.35rem;letter-spacing:-.01em}"
	"header span,footer,caption small{color:var(--soft);font-size:.87rem}"
	".state{border-left:5px solid;border-radius:8px;padding:.8rem 1rem;"
	"margin-bottom:1rem}"
	".state b{display:block;font-size:1.12rem}"
	".state.good{background:var(--good-ground);border-color:var(--good)}"
	".state.warn{background:var(--warn-ground);border-color:var(--warn)}"
	".state.bad{background:var(--bad-ground);border-color:var(--bad)}"
	".state.good b,td.good{color:var(--good)}"
	".state.warn b,td.warn{color:var(--warn)}"
	".state.bad b,td.bad{color:var(--bad)}"
	"td.good,td.warn,td.bad{font-weight:600}"
	"dl{display:grid;grid-template-columns:repeat(auto-fit,"
	"minmax(8.2rem,1fr));gap:.75rem;margin:0 0 1.5rem}"
	"dl div,.table{background:var(--card);border:1px solid "
	"var(--line);border-radius:8px}"
	"dl div{padding:.6rem .9rem}"
	"dt{color:var(--soft);font-size:.8rem}"
	"dd{margin:0;font-size:1.3rem;font-weight:600;white-space:nowrap}"
	"dd.good{color:var(--good)}dd.warn{color:var(--warn)}"
	"dd.bad{color:var(--bad)}"
	".table{overflow-x:auto;margin-bottom:1.5rem}"
	"table{border-collapse:collapse;width:100%}"
	"caption{text-align:left;font-weight:600;padding:.7rem .9rem .4rem}"
	"th,td{padding:.32rem .9rem;text-align:right;white-space:nowrap;"
	"border-top:1px solid var(--line)}"
	"th{color:var(--soft);font-weight:500;font-size:.83rem}"
	"th:first-child,td:first-child,.left{text-align:left}"
	"td{vertical-align:baseline}"
	"td.left{white-space:normal;min-width:8.5rem}"
	"code{font:.92em ui-monospace,SFMono-Regular,Menlo,monospace}";

#endif
