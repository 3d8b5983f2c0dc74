import { type Report, nameOf } from './report.ts';

/** Test Anything Protocol 14: a backslash escapes what would begin a directive, and a description is one line. */
function description(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('#', '\\#').replace(/\s+/g, ' ').trim();
}

/** A YAML scalar on one line. */
function scalar(text: string): string {
  return JSON.stringify(text);
}

export function tapReport({ results }: Report): string {
  const lines = ['TAP version 14', `1..${results.length}`];
  for (const [index, one] of results.entries()) {
    lines.push(`${one.wrong === undefined ? 'ok' : 'not ok'} ${index + 1} - ${description(nameOf(one))}`);
    if (one.wrong === undefined) continue;
    lines.push(
      '  ---',
      `  message: ${scalar(one.wrong)}`,
      '  severity: fail',
      `  at: ${scalar(`${one.file}:${one.line}`)}`,
      `  reason: ${scalar(one.verdict.reason)}`,
      '  ...',
    );
  }
  return `${lines.join('\n')}\n`;
}
