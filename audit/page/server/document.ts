import type { Assets } from './assets.ts';

/** The page without its data: what is in it is the browser's to fetch. */
export function documentOf({ version, modules, main, styles }: Assets): string {
  const at = (name: string): string => `/assets/${version}/${name}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Gatehouse: who talks to whom</title>
${styles.map((name) => `<link rel="stylesheet" href="${at(name)}">`).join('\n')}
${modules.map((name) => `<link rel="modulepreload" href="${at(name)}">`).join('\n')}
<script type="module" src="${at(main)}"></script>
</head>
<body>
<noscript><p class="noscript">This page draws a graph with a script of its own. <a href="/report.html">The same report as a table</a> needs none.</p></noscript>
</body>
</html>
`;
}
