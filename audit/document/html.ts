import { createHash } from 'node:crypto';
import { GRAPH_STYLE } from '../graph/svg.ts';
import { htmlText } from '../report/html-text.ts';
import type { Cell, Document, Fact, Section } from './document.ts';

const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --line: #c8ccd2; --soft: #f2f4f7; --denied: #b3261e; --plain: #8a5a00; --would: #7b3aa0; --mtls: #17743a; }
@media (prefers-color-scheme: dark) { :root { --paper: #16191d; --line: #444a52; --soft: #23272e; --denied: #ff8a80; --plain: #ffc46b; --would: #d6a6f5; --mtls: #7bd39a; } }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem; background: var(--paper); }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; }
dt { font-size: .8rem; opacity: .75; } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { border: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: var(--soft); position: sticky; top: 0; } th, .number { overflow-wrap: normal; }
figure { margin: 1rem 0; overflow-x: auto; } figcaption { font-size: .85rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.denied { color: var(--denied); font-weight: 600; } .plain { color: var(--plain); font-weight: 600; }
.would-be-denied { color: var(--would); font-weight: 600; } .good { color: var(--mtls); }
${GRAPH_STYLE}
.key { display: inline-block; margin-right: 1.5rem; color: inherit; font-weight: inherit; } .key svg { vertical-align: middle; margin-right: .4rem; }
@media print {
:root { color-scheme: light; --paper: #fff; --line: #999; --soft: #eee; --denied: #b3261e; --plain: #8a5a00; --would: #7b3aa0; --mtls: #17743a; }
@page { size: A4 landscape; margin: 1.2cm; @bottom-right { content: counter(page) " / " counter(pages); } }
nav { display: none; } body { margin: 0; } th { position: static; } thead { display: table-header-group; } tr { break-inside: avoid; }
h2 { break-after: avoid; } figure { break-inside: avoid; overflow: visible; } .graph { max-height: 15cm; } .page { break-before: page; }
}
`;

/** Nothing may run, load, be sent or be framed; the one style sheet is allowed by its hash. */
export const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

/** What a page that serves a document adds to it. */
export interface Live {
  readonly refreshSeconds: number;
  readonly links: readonly { readonly text: string; readonly href: string }[];
}

function navigation(live: Live | undefined): string {
  if (live === undefined) return '';
  const links = live.links.map(({ text, href }) => `<a href="${htmlText(href)}">${htmlText(text)}</a>`);
  return `<nav>${links.join(' ')}</nav>\n`;
}

function facts(list: readonly Fact[]): string {
  const items = list.map(([label, value]) => `<div><dt>${htmlText(label)}</dt><dd>${htmlText(value)}</dd></div>`);
  return `<dl>\n${items.join('\n')}\n</dl>\n`;
}

function row(cells: readonly Cell[]): string {
  const shown = cells.map(({ text, tone }) => `<td${tone === undefined ? '' : ` class="${tone}"`}>${htmlText(text)}</td>`);
  return `<tr>${shown.join('')}</tr>\n`;
}

function key({ tone, text }: { readonly tone: string; readonly text: string }): string {
  const line = `<svg class="graph" width="40" height="10" aria-hidden="true"><g class="edge ${tone}"><path d="M0,5 L40,5" stroke-width="2"/></g></svg>`;
  return `<span class="key">${line}${htmlText(text)}</span>`;
}

function* sectionOf(
  { heading, paragraphs = [], table, picture, whenEmpty = 'None.' }: Section,
  first: boolean,
): Generator<string> {
  yield `<section${first ? '' : ' class="page"'}>\n<h2>${htmlText(heading)}</h2>\n`;
  yield paragraphs.map((text) => `<p>${htmlText(text)}</p>\n`).join('');
  if (picture !== undefined)
    yield `<figure>\n${picture.svg}\n<figcaption>${picture.legend.map(key).join(' ')}</figcaption>\n</figure>\n`;
  if (table !== undefined) {
    let any = false;
    for (const cells of table.rows()) {
      if (!any)
        yield `<table>\n<thead><tr>${table.columns.map(({ title }) => `<th scope="col">${htmlText(title)}</th>`).join('')}</tr></thead>\n<tbody>\n`;
      any = true;
      yield row(cells);
    }
    yield any ? '</tbody>\n</table>\n' : `<p>${htmlText(whenEmpty)}</p>\n`;
  }
  yield '</section>\n';
}

/** One file without scripts or anything to fetch; the policy in it forbids both. Each section begins a page when it is printed. */
export function* htmlOf(document: Document, live?: Live): Generator<string> {
  const { title, period, about, sections } = document;
  const notCovered = [...document.notCovered, ...document.neverCovered];
  yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${CONTENT_SECURITY_POLICY}">${live === undefined ? '' : `\n<meta http-equiv="refresh" content="${live.refreshSeconds}">`}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${htmlText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${htmlText(title)}</h1>
<p>${htmlText(period)}</p>
${navigation(live)}${facts(document.facts)}`;
  for (const [index, section] of sections.entries()) yield* sectionOf(section, index === 0);
  if (notCovered.length > 0)
    yield `<section>\n<h2>What is not covered</h2>\n<ul>\n${notCovered.map((text) => `<li>${htmlText(text)}</li>\n`).join('')}</ul>\n</section>\n`;
  yield `<section>\n<h2>About</h2>\n${facts(about)}</section>\n</body>\n</html>\n`;
}
