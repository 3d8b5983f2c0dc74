import type { Colors } from '../explain-text.ts';
import { type Ran, type Report, countsOf } from './report.ts';

const MOST_SHOWN = 10;

function indented(text: string, by: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `${by}${line}`)
    .join('\n');
}

function failureLines(failed: readonly Ran[], colors: Colors): readonly string[] {
  const shown = failed
    .slice(0, MOST_SHOWN)
    .flatMap((one) => [
      ...(one.case.label === '' ? [] : [`      ${colors.red(one.case.label)}`]),
      `      ${colors.red(one.wrong ?? '')}`,
      ...(one.explanation === undefined ? [] : [indented(one.explanation, '        ')]),
    ]);
  return failed.length > MOST_SHOWN ? [...shown, `      and ${failed.length - MOST_SHOWN} more`] : shown;
}

function testLines(results: readonly Ran[], colors: Colors): readonly string[] {
  const [first] = results;
  if (first === undefined) return [];
  const failed = results.filter(({ wrong }) => wrong !== undefined);
  const count = results.length === 1 ? '' : colors.dim(` (${results.length} requests)`);
  if (failed.length === 0) return [`  ${colors.green('✔')} ${first.case.test.name}${count}`];
  const of = results.length === 1 ? '' : ` (${failed.length} of ${results.length} requests)`;
  return [
    `  ${colors.red('✘')} ${first.case.test.name}${of} ${colors.dim(`${first.file}:${first.line}`)}`,
    ...failureLines(failed, colors),
  ];
}

function coverageLines({ coverage }: Report): readonly string[] {
  return [
    '',
    'Coverage: how many requests each rule decided',
    ...coverage.flatMap(({ policy, action, considered, rules }) => {
      if (considered === 0) return [`  ${action} ${policy}: no test is about a workload that it applies to`];
      if (rules.length === 0) return [`  ${action} ${policy}: no rules; ${considered} requests to workloads that it applies to`];
      return rules.map((count, rule) => `  ${action} ${policy} rule ${rule}: ${count === 0 ? 'decided none' : count}`);
    }),
  ];
}

/** For people, a line for each test. */
export function textReport(report: Report, withCoverage: boolean, colors: Colors): string {
  const lines: string[] = [];
  for (const [file, results] of Map.groupBy(report.results, (one) => one.file)) {
    lines.push(file);
    for (const [, ofTest] of Map.groupBy(results, ({ case: { test } }) => test.index)) lines.push(...testLines(ofTest, colors));
    lines.push('');
  }
  const { passed, failed } = countsOf(report);
  const tests = new Set(report.results.map(({ file, case: { test } }) => `${file} ${test.index}`)).size;
  lines.push(`${tests} tests, ${report.results.length} requests: ${passed} passed, ${failed} failed`);
  if (withCoverage) lines.push(...coverageLines(report));
  return `${lines.join('\n')}\n`;
}
