import { writtenRequest } from '../../../policy/access/witness.ts';
import { type Report, countsOf, nameOf, statusOf } from './report.ts';

/** For machines: every request with what was expected and what came out. */
export function jsonReport(report: Report): string {
  const { passed, failed } = countsOf(report);
  const value = {
    passed,
    failed,
    results: report.results.map((one) => ({
      name: nameOf(one),
      test: one.case.test.name,
      file: one.file,
      line: one.line,
      status: statusOf(one),
      expected: { decision: one.case.expect, policy: one.case.by ?? null, rule: one.case.rule ?? null },
      actual: {
        decision: one.verdict.decision,
        policy: one.verdict.policy ?? null,
        rule: one.verdict.rule ?? null,
        reason: one.verdict.reason,
      },
      request: writtenRequest(nameOf(one), one.case.request),
    })),
    coverage: report.coverage,
  };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
