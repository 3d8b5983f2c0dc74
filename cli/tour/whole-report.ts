import { EVERYTHING } from '../../audit/report/filter.ts';
import { type Report, reportOf } from '../../audit/report/report.ts';
import { sqliteFileReader } from '../../audit/store/sqlite-read.ts';

/** The report of all that the mesh has recorded until now. */
export async function wholeReport(auditFile: string): Promise<Report> {
  const period = { since: undefined, until: undefined };
  return reportOf(await sqliteFileReader(auditFile).query(period), { period, filter: EVERYTHING, now: new Date() });
}
