import { type Ran, type Report, countsOf, nameOf } from './report.ts';

/** XML 1.0 has no way to write most control characters. */
export function escaped(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll('\n', '&#10;')
      .replaceAll('\r', '&#13;')
      .replaceAll('\t', '&#9;')
  );
}

function testcase(one: Ran): string {
  const open = `    <testcase name="${escaped(nameOf(one))}" classname="${escaped(one.file)}" file="${escaped(one.file)}" line="${one.line}"`;
  if (one.wrong === undefined) return `${open}/>`;
  const body = escaped(`${one.verdict.reason}\n${one.explanation ?? ''}`);
  return `${open}>\n      <failure message="${escaped(one.wrong)}" type="decision">${body}</failure>\n    </testcase>`;
}

/** JUnit XML as CI servers read it: a suite for each file, a case for each request. */
export function junitReport(report: Report): string {
  const suites = [...Map.groupBy(report.results, ({ file }) => file)].map(([file, results]) => {
    const { failed } = countsOf({ results, coverage: [] });
    const attributes = `name="${escaped(file)}" tests="${results.length}" failures="${failed}" errors="0" skipped="0"`;
    return `  <testsuite ${attributes}>\n${results.map(testcase).join('\n')}\n  </testsuite>`;
  });
  const { failed } = countsOf(report);
  const attributes = `name="gatehouse policy test" tests="${report.results.length}" failures="${failed}" errors="0"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${attributes}>\n${suites.join('\n')}\n</testsuites>\n`;
}
