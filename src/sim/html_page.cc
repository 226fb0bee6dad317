#include "sim/html_page.h"

namespace turnpike::sim {
namespace {

constexpr std::string_view kHead = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Turnpike: simulated policies</title>
<style>
:root { --ink:#1b1f24; --soft:#59636e; --line:#d8dee4; --paper:#fff; --tint:#f6f8fa; --good:#1a7f37; --bad:#b42318; }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e6edf3; --soft:#9aa4af; --line:#363c44; --paper:#14181d; --tint:#1c2128; --good:#57c777; --bad:#ff8a80; }
}
* { box-sizing:border-box }
body { margin:0 auto; max-width:1360px; padding:32px 28px 80px; background:var(--paper); color:var(--ink);
  font:15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
h1 { font-size:26px; margin:0 0 4px; letter-spacing:-.01em }
h2 { font-size:20px; margin:48px 0 2px; padding-top:20px; border-top:1px solid var(--line) }
h3 { font-size:14px; margin:0; font-weight:600 }
p { margin:2px 0 14px; color:var(--soft) }
.wide { overflow-x:auto }
table { border-collapse:collapse; width:100%; font-size:12.5px; font-variant-numeric:tabular-nums }
th, td { padding:5px 7px; text-align:right; white-space:nowrap; border-bottom:1px solid var(--line) }
th { color:var(--soft); font-weight:600; vertical-align:bottom; background:var(--tint); white-space:normal; line-height:1.25 }
th:first-child, td:first-child { text-align:left }
td.best { font-weight:700; color:var(--good) } td.bad { color:var(--bad) }
tr.off td { opacity:.45 }
td label { cursor:pointer; display:flex; gap:8px; align-items:center }
.swatch { width:14px; height:4px; border-radius:2px; flex:none }
.charts { display:grid; grid-template-columns:repeat(auto-fit, minmax(400px, 1fr)); gap:22px 26px; margin-top:22px }
figure { margin:0; min-width:0 } figure p { font-size:12.5px; margin:0 0 4px }
svg { display:block; width:100%; height:auto; overflow:visible }
svg text { fill:var(--soft); font-size:11px; font-variant-numeric:tabular-nums }
.grid { stroke:var(--line); stroke-width:1; shape-rendering:crispEdges }
.tip { position:fixed; pointer-events:none; background:var(--ink); color:var(--paper); padding:6px 9px; border-radius:6px;
  font-size:12px; line-height:1.45; display:none; z-index:2; white-space:pre; font-variant-numeric:tabular-nums }
</style></head><body>
<h1>Policies in simulated time</h1><p id="about"></p><main></main><div class="tip"></div>
<script>
)html";

constexpr std::string_view kScript = R"html(
'use strict';
const palette = ['#0969da','#d1622b','#1a7f37','#8250df','#bf3989','#9a6700','#0e8a8a','#cf222e','#57606a','#5e8f00','#3b5bdb','#a0522d'];
const svgNs = 'http://www.w3.org/2000/svg';
const el = (tag, attrs = {}, ...children) => {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs)) k === 'text' ? e.textContent = v : e.setAttribute(k, v);
  e.append(...children); return e;
};
const svg = (tag, attrs = {}, text) => {
  const e = document.createElementNS(svgNs, tag);
  for (const [k, v] of Object.entries(attrs)) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
};
const short = v => {
  const a = Math.abs(v);
  if (!Number.isFinite(v)) return '';
  if (a >= 1e6) return (v / 1e6).toFixed(a >= 1e7 ? 0 : 1) + ' M';
  if (a >= 1e4) return (v / 1e3).toFixed(0) + ' k';
  if (a >= 100 || v === 0) return v.toFixed(0);
  if (a >= 10) return v.toFixed(1).replace(/\.0$/, '');
  if (a >= 0.095) return v.toFixed(2).replace(/\.?0+$/, '');
  return v.toPrecision(1);
};
const seconds = v => v < 0.0995 ? (v * 1e3).toFixed(v < 0.00995 ? 1 : 0) + ' ms' : v < 99.5 ? short(v) + ' s' : v < 5940 ? short(v / 60) + ' min' : short(v / 3600) + ' h';
// For axes of time: whole minutes and hours.
const axis_seconds = v => v === 0 ? '0' : v >= 3600 && v % 3600 === 0 ? v / 3600 + ' h' : v >= 60 && v % 60 === 0 ? v / 60 + ' min' : seconds(v);
const decade_seconds = v => v < 0.999 ? short(v * 1e3) + ' ms' : short(v).replace(' k', '000') + ' s';
const percent = v => (v * 100).toFixed(1) + ' %';

// Round numbers that divide [0, most].
function steps(most, count) {
  if (!(most > 0)) return [0, 1];
  const raw = most / count, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map(f => f * size).find(s => s >= raw * 0.999);
  const ticks = [];
  for (let i = 0; i * step < most + step * 0.999; ++i) ticks.push(i * step);
  return ticks;
}
function decades(least, most) {
  const ticks = [];
  for (let e = Math.floor(Math.log10(least)); e <= Math.ceil(Math.log10(most)); ++e) ticks.push(10 ** e);
  return ticks;
}

const tip = document.querySelector('.tip');
// series: [{name, color, points: [[x, y]...], strong}]
function plot({title, note, series, xTicks, xFormat, yFormat, log, xName, dots}) {
  const figure = el('figure', {}, el('h3', {text: title}), el('p', {text: note}));
  const W = 560, H = 250, left = 56, right = 10, top = 8, bottom = 36;
  const ys = series.flatMap(s => s.points.map(p => p[1])).filter(y => Number.isFinite(y) && (!log || y > 0));
  if (!ys.length) { figure.append(el('p', {text: 'Nothing to show.'})); return figure; }
  let least = Math.min(...ys), most = Math.max(...ys);
  const yTicks = log ? decades(Math.max(least, most * 1e-6), most) : steps(most, 5);
  const y0 = yTicks[0], y1 = yTicks[yTicks.length - 1], x0 = xTicks[0], x1 = xTicks[xTicks.length - 1];
  const X = v => left + (v - x0) / ((x1 - x0) || 1) * (W - left - right);
  const Y = v => {
    const t = log ? Math.log(Math.max(v, y0) / y0) / Math.log(y1 / y0 || 10) : (v - y0) / ((y1 - y0) || 1);
    return H - bottom - t * (H - top - bottom);
  };
  const picture = svg('svg', {viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': title});
  for (const t of yTicks) {
    picture.append(svg('line', {class: 'grid', x1: left, x2: W - right, y1: Y(t), y2: Y(t)}));
    picture.append(svg('text', {x: left - 8, y: Y(t) + 4, 'text-anchor': 'end'}, log ? decade_seconds(t) : yFormat(t)));
  }
  for (const t of xTicks) picture.append(svg('text', {x: X(t), y: H - bottom + 16, 'text-anchor': 'middle'}, xFormat(t)));
  picture.append(svg('text', {x: (left + W - right) / 2, y: H - 3, 'text-anchor': 'middle'}, xName));
  for (const s of [...series].sort((a, b) => (a.strong || 0) - (b.strong || 0))) {
    const d = s.points.map(([x, y], i) => `${i ? 'L' : 'M'}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`).join('');
    picture.append(svg('path', {d, fill: 'none', stroke: s.color, 'stroke-width': s.strong ? 2.6 : 1.6, 'stroke-linejoin': 'round', opacity: s.strong ? 1 : 0.85}));
    if (dots) for (const [x, y] of s.points) picture.append(svg('circle', {cx: X(x), cy: Y(y), r: 3, fill: s.color}));
  }
  const cursor = svg('line', {class: 'grid', y1: top, y2: H - bottom, visibility: 'hidden'});
  picture.append(cursor);
  picture.addEventListener('pointermove', event => {
    const box = picture.getBoundingClientRect(), at = x0 + ((event.clientX - box.left) / box.width * W - left) / (W - left - right) * (x1 - x0);
    if (at < x0 || at > x1) return;
    const rows = series.map(s => {
      const p = s.points.reduce((a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a, s.points[0] || [0, NaN]);
      return [p[1], `${yFormat(p[1]).padStart(8)}  ${s.name}`];
    }).sort((a, b) => b[0] - a[0]).slice(0, 14);
    tip.textContent = `${xName}: ${xFormat === axis_seconds ? seconds(at) : xFormat(at)}\n` + rows.map(r => r[1]).join('\n');
    tip.style.display = 'block';
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + 'px';
    tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + 'px';
    cursor.setAttribute('x1', X(at)); cursor.setAttribute('x2', X(at)); cursor.setAttribute('visibility', 'visible');
  });
  picture.addEventListener('pointerleave', () => { tip.style.display = 'none'; cursor.setAttribute('visibility', 'hidden'); });
  figure.append(picture);
  return figure;
}

// groups: [{name, bars: [{name, color, value}]}]
function bars({title, note, groups, format}) {
  const figure = el('figure', {}, el('h3', {text: title}), el('p', {text: note}));
  const rows = groups.flatMap(g => [{group: g.name}, ...g.bars]);
  const W = 560, left = 150, right = 64, line = 17, H = rows.length * line + 6;
  const most = Math.max(...groups.flatMap(g => g.bars.map(b => b.value)), 1e-9);
  const picture = svg('svg', {viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': title});
  rows.forEach((row, i) => {
    const y = i * line;
    if (row.group !== undefined) { picture.append(svg('text', {x: 0, y: y + 13, 'font-weight': 700}, row.group)); return; }
    const width = Math.max(1, row.value / most * (W - left - right));
    picture.append(svg('text', {x: left - 8, y: y + 13, 'text-anchor': 'end'}, row.name));
    picture.append(svg('rect', {x: left, y: y + 3, width, height: line - 6, rx: 2, fill: row.color}));
    picture.append(svg('text', {x: left + width + 6, y: y + 13}, format(row.value)));
  });
  figure.append(picture);
  return figure;
}

const all_columns = [
  ['sessions / min', r => r.sessions_per_minute, short, 1],
  ['output tok/s', r => r.output_tokens_per_s, short, 1],
  ['least … most', r => r.ranges ? r.ranges.output_tokens_per_s : null, v => v ? `${short(v[0])} … ${short(v[1])}` : '', 0],
  ['hit rate', r => r.token_hit_rate, percent, 1],
  ['TTFT mean', r => r.ttft_s.mean, seconds, -1],
  ['p50', r => r.ttft_s.p50, seconds, -1],
  ['p90', r => r.ttft_s.p90, seconds, -1],
  ['p99', r => r.ttft_s.p99, seconds, -1],
  ['ITL', r => r.itl_s.mean, seconds, -1],
  ['E2E mean', r => r.e2e_s.mean, seconds, -1],
  ['session p50', r => r.session_completion_s.p50, seconds, -1],
  ['slowdown p95', r => r.slowdown.p95, short, -1],
  ['failed', r => r.ttft_s.failed_share, percent, -1],
  ['killed', r => r.sessions_killed, short, -1],
  ['unfinished', r => r.requests.unfinished, short, 0],
  ['longest wait', r => r.longest_wait_s, seconds, -1],
];
const colors = new Map();
const colorOf = policy => {
  if (!colors.has(policy)) colors.set(policy, palette[colors.size % palette.length]);
  return colors.get(policy);
};
const strong = policy => policy === 'resident-set';
for (const r of data.runs) if (strong(r.policy)) colorOf(r.policy);
for (const r of data.runs) colorOf(r.policy);

// Of many policies only the foremost are drawn at first.
function shown_at_first(runs) {
  const order = [...runs].sort((a, b) => b.sessions_per_minute - a.sessions_per_minute || b.output_tokens_per_s - a.output_tokens_per_s);
  return new Set([...order.slice(0, 7).map(r => r.policy), ...runs.filter(r => strong(r.policy)).map(r => r.policy)]);
}

function table(runs, shown, redraw) {
  const columns = all_columns.filter(c => runs.some(r => c[1](r) !== null));
  const head = el('tr', {}, el('th', {text: 'policy'}), ...columns.map(c => el('th', {text: c[0]})));
  const rows = runs.map(r => {
    const box = el('input', {type: 'checkbox'});
    box.checked = shown.has(r.policy);
    const row = el('tr', {class: box.checked ? '' : 'off'});
    box.addEventListener('change', () => {
      box.checked ? shown.add(r.policy) : shown.delete(r.policy);
      row.className = box.checked ? '' : 'off';
      redraw();
    });
    row.append(el('td', {}, el('label', {}, box, el('span', {class: 'swatch', style: `background:${colorOf(r.policy)}`}), r.policy)));
    for (const [, read, format, better] of columns) {
      const value = read(r), cell = el('td', {text: format(value)});
      if (better && runs.length > 1) {
        const all = runs.map(read), best = better > 0 ? Math.max(...all) : Math.min(...all);
        if (value === best && all.some(v => v !== best)) cell.className = 'best';
      }
      row.append(cell);
    }
    return row;
  });
  return el('div', {class: 'wide'}, el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows)));
}

const line = (run, points) => ({name: run.policy, color: colorOf(run.policy), strong: strong(run.policy), points});

function run_charts(runs) {
  const span = Math.max(...runs.flatMap(r => r.curves.timeline.map(p => p.at_s)), 1);
  const unit = span > 10800 ? 3600 : span > 240 ? 60 : 1;
  const time = steps(span / unit, 6).map(t => t * unit);
  const over_time = (title, note, read, format) => plot({title, note, xTicks: time, xFormat: axis_seconds, yFormat: format, xName: 'simulated time',
    series: runs.map(r => line(r, r.curves.timeline.map(p => [p.at_s, read(p)])))});
  const curve = (title, note, name) => plot({title, note, log: true, xTicks: [0, 25, 50, 75, 90, 100], xFormat: v => v.toFixed(0) + ' %', yFormat: seconds,
    xName: 'share of all that took no longer', series: runs.map(r => line(r, r.curves[name].map((v, i) => [i, Math.max(v, 1e-3)])))});
  const charts = [
    curve('Time to first token', 'Of all requests; one that failed counts as the slowest.', 'ttft_s'),
    curve('Session completion', 'Of all sessions that ended; one that was killed counts as the slowest.', 'session_completion_s'),
    over_time('Throughput', 'Output tokens a second, over all replicas.', p => p.output_tokens_per_s, short),
    over_time('Resident contexts', 'Share of the KV cache: by the gateway’s account, where the policy keeps one; else that of running requests.',
      p => p.resident_share > 0 ? p.resident_share : p.kv_usage, v => (v * 100).toFixed(0) + ' %'),
    over_time('Waiting', 'Requests in the gateway’s queue and in those of the engines.', p => p.queued + p.engine_waiting, short),
  ];
  const names = [...new Set(runs.flatMap(r => r.tenants.map(t => t.tenant)))];
  charts.push(bars({title: 'Waiting by tenant', note: names.length > 1 ? 'Mean time to the first token of each tenant’s requests.' : 'Mean time to the first token; there is one tenant.', format: seconds,
    groups: names.map(name => ({name, bars: runs.flatMap(r => r.tenants.filter(t => t.tenant === name)
      .map(t => ({name: r.policy, color: colorOf(r.policy), value: t.ttft_s.mean})))}))}));
  return charts;
}

function sweep_charts(runs, policies) {
  const xs = [...new Set(runs.map(r => r.sweep.value))].sort((a, b) => a - b);
  const chart = (title, note, read, format, log) => plot({title, note, log, dots: true, xTicks: xs, xFormat: v => short(v), yFormat: format, xName: runs[0].sweep.name,
    series: policies.map(policy => ({name: policy, color: colorOf(policy), strong: strong(policy),
      points: runs.filter(r => r.policy === policy).map(r => [r.sweep.value, read(r)])}))});
  return [
    chart('Throughput', 'Output tokens a second.', r => r.output_tokens_per_s, short),
    chart('Finished sessions', 'A minute.', r => r.sessions_per_minute, short),
    chart('Time to first token', 'Mean over all requests.', r => r.ttft_s.mean, seconds, true),
    chart('Hit rate', 'Prompt tokens found in a cache.', r => r.token_hit_rate, percent),
  ];
}

function section(title, about, runs, draw, shown) {
  const charts = el('div', {class: 'charts'});
  const redraw = () => charts.replaceChildren(...draw(runs.filter(r => shown.has(r.policy))));
  const parts = [el('h2', {text: title}), el('p', {text: about})];
  if (!runs[0].sweep) parts.push(table(runs, shown, redraw));
  document.querySelector('main').append(...parts, charts);
  redraw();
}

document.getElementById('about').textContent =
  `turnpike ${data.version} · ${data.command} · seed ${data.seed} · ${data.started} · the gateway’s policy core in front of a model of the engine`;
const groups = new Map();
for (const r of data.runs) {
  const key = r.workload + (r.sweep ? ` · ${r.sweep.name}` : '');
  if (!groups.has(key)) groups.set(key, []);
  groups.get(key).push(r);
}
for (const [key, runs] of groups) {
  const r = runs[0];
  const about = `${r.replicas} replicas · ${seconds(r.duration_s)} reported · hit rate of a cache without bound ${percent(r.hit_rate_bound)}`;
  if (r.sweep) {
    const policies = [...new Set(runs.map(x => x.policy))];
    const legend = policies.map(p => el('span', {style: 'display:inline-flex;gap:6px;align-items:center;margin-right:16px'},
      el('span', {class: 'swatch', style: `background:${colorOf(p)}`}), p));
    section(key, `${r.sweep.name}: ${r.sweep.about} · ${about}`, runs, shownRuns => sweep_charts(shownRuns, policies), new Set(policies));
    document.querySelector('main').lastChild.before(el('p', {}, ...legend));
  } else {
    section(key, about, runs, run_charts, shown_at_first(runs));
  }
}
document.body.dataset.drawn = String(document.querySelectorAll('svg').length);
</script></body></html>
)html";

}  // namespace

std::string_view html_page_head() {
  return kHead;
}
std::string_view html_page_script() {
  return kScript;
}

}  // namespace turnpike::sim
