// The look of the report: one style sheet, light and dark. System fonts only; numbers in columns have equal
// widths.
#pragma once

#include <string_view>

namespace samebits::training {

inline constexpr std::string_view kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --text: #1d2126; --muted: #626b76; --line: #e3e5e8; --shade: 29, 33, 38;
  --blue: #2563eb; --orange: #c2570c; --green: #15803d; --red: #b91c1c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15181c; --card: #1c2025; --text: #e6e8eb; --muted: #98a1ad; --line: #31373f; --shade: 230, 232,
      235;
    --blue: #6ea8fe; --orange: #f0a35e; --green: #57c98a; --red: #f38b8b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 2.5rem 1.5rem 4rem; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans",
    sans-serif;
}
main { max-width: 1120px; margin: 0 auto; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 2.75rem 0 0.9rem; font-size: 1.1rem; letter-spacing: -0.005em; }
.machine, .note { margin: 0.4rem 0 0; color: var(--muted); font-size: 0.87rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }

.verdicts { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 1rem;
  margin-top: 1.6rem; }
.verdict { padding: 0.9rem 1.1rem; border-left: 4px solid var(--muted); }
.verdict.same { border-left-color: var(--green); }
.verdict.differs { border-left-color: var(--red); }
.verdict p { margin: 0; }
.verdict .count { font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.verdict.same .count { color: var(--green); }
.verdict.differs .count { color: var(--red); }
.verdict .what { color: var(--muted); font-size: 0.87rem; }

.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 0.87rem; }
th, td { padding: 0.5rem 0.9rem; text-align: left; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--muted); font-weight: 500; }
tbody th { font-weight: 600; }
tbody tr:last-child > * { border-bottom: 0; }
.none { color: var(--muted); }
.number { text-align: right; font-variant-numeric: tabular-nums; }

.classes th, .classes td { padding: 0.35rem 0.6rem; }
pre { margin: 0.6rem 0 0; padding: 0.9rem 1.1rem; overflow-x: auto; font-size: 0.82rem; line-height: 1.45; }

.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 1rem; }
figure { margin: 0; padding: 0.9rem 1rem 0.6rem; }
figcaption { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; align-items: baseline; font-size: 0.87rem; }
figcaption strong { font-weight: 600; }
.key { color: var(--muted); }
.key::before { content: ""; display: inline-block; width: 14px; height: 3px; margin-right: 6px;
               border-radius: 2px; vertical-align: middle; background: currentColor; }
.key.train::before, .key.accuracy::before { background: var(--blue); }
.key.test::before { background: var(--orange); }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 11px; fill: var(--muted); font-variant-numeric: tabular-nums; }
svg .phase-name { font-size: 10.5px; fill: var(--text); paint-order: stroke; stroke: var(--card);
  stroke-width: 4px; }
svg .grid { stroke: var(--line); }
svg .axis { stroke: var(--muted); }
svg .mark { stroke: var(--muted); stroke-dasharray: 2 3; }
svg .phase { fill: rgb(var(--shade)); fill-opacity: 0; }
svg .observing { fill-opacity: 0.04; }
svg .quantizing { fill-opacity: 0.075; }
svg .frozen { fill-opacity: 0.11; }
svg .series path { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
svg .series circle { fill: currentColor; stroke: var(--card); stroke-width: 1; }
svg .dense circle { stroke: none; }
svg .train, svg .accuracy { color: var(--blue); }
svg .test { color: var(--orange); }
svg .bars { fill: var(--blue); }

.histograms { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 1rem; }
.histograms figure { padding: 0.8rem 1rem; min-width: 0; }
.histograms strong { overflow-wrap: anywhere; }
.histograms figcaption { margin-bottom: 0.6rem; justify-content: space-between; }
.histograms figcaption span { color: var(--muted); }
@media (max-width: 560px) { .histograms { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
details { margin-top: 1rem; }
summary { cursor: pointer; color: var(--muted); font-size: 0.87rem; }
details .card { margin-top: 0.6rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.35rem 1.5rem; margin: 0;
  padding: 0.9rem 1.1rem;
     font-size: 0.87rem; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
@media print { body { padding: 0; } .card { break-inside: avoid; } }
)css";

}  // namespace samebits::training
