import { createHash } from 'node:crypto';
import { htmlText } from './html-text.ts';
import { COLUMNS, periodText, summary } from './columns.ts';
import type { Line, Report } from './report.ts';

const STYLE = `
:root { color-scheme: light dark; --line: #c8ccd2; --soft: #f2f4f7; --denied: #b3261e; --plain: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --line: #444a52; --soft: #23272e; --denied: #ff8a80; --plain: #ffc46b; } }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem; }
h1 { font-size: 1.4rem; margin: 0; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; }
dt { font-size: .8rem; opacity: .75; } dd { margin: 0; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { border: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: var(--soft); position: sticky; top: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.denied { color: var(--denied); font-weight: 600; } .plain { color: var(--plain); font-weight: 600; }
@media print { nav { display: none; } @page { size: A4 landscape; margin: 1cm; } body { margin: 0; } th { position: static; } thead { display: table-header-group; } tr { break-inside: avoid; } }
`;

/** Nothing may run, load, be sent or be framed; the one style sheet is allowed by its hash. */
export const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

/** What a page that serves the report adds to it. */
export interface Live {
  readonly refreshSeconds: number;
  readonly links: readonly { readonly text: string; readonly href: string }[];
}

function navigation(live: Live | undefined): string {
  if (live === undefined) return '';
  const links = live.links.map(({ text, href }) => `<a href="${htmlText(href)}">${htmlText(text)}</a>`);
  return `<nav>${links.join(' ')}</nav>\n`;
}

function cellClass(title: string, { key }: Line): string {
  if (title === 'count' || title === 'port') return ' class="number"';
  if (title === 'decision' && key.decision === 'DENY') return ' class="denied"';
  if (title === 'transport' && !key.mtls && key.verdict !== 'unreached') return ' class="plain"';
  return '';
}

function row(line: Line): string {
  return `<tr>${COLUMNS.map(({ title, cell }) => `<td${cellClass(title, line)}>${htmlText(cell(line))}</td>`).join('')}</tr>`;
}

/** One file without scripts or anything to fetch; the policy in it forbids both. */
export function htmlReport(report: Report, live?: Live): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${CONTENT_SECURITY_POLICY}">${live === undefined ? '' : `\n<meta http-equiv="refresh" content="${live.refreshSeconds}">`}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Who talked to whom</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Who talked to whom</h1>
<p>${htmlText(periodText(report))}; generated at ${report.generatedAt.toISOString()}.</p>
${navigation(live)}<dl>
${summary(report)
  .map(([label, value]) => `<div><dt>${htmlText(label)}</dt><dd>${htmlText(value)}</dd></div>`)
  .join('\n')}
</dl>
<table>
<thead><tr>${COLUMNS.map(({ title }) => `<th scope="col">${htmlText(title)}</th>`).join('')}</tr></thead>
<tbody>
${report.lines.map(row).join('\n')}
</tbody>
</table>
</body>
</html>
`;
}
