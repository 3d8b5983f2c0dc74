import type { Logger } from 'pino';
import type { Report } from '../subscription/event.ts';
import type { State } from '../subscription/state.ts';
import { namedIn } from './status.ts';

/** Writes what a step found out to the stream's log, which carries the node and its identity. */
export function logReport(log: Logger, report: Report, state: State): void {
  switch (report.kind) {
    case 'nacked': {
      const { type, detail } = report;
      const names = report.names.length > 0 ? report.names : namedIn(detail, state.types.get(type)?.full?.keys() ?? []);
      log.warn({ typeUrl: type, resources: names, message: detail }, 'the proxy rejected configuration and keeps what it had');
      return;
    }
    case 'isolating':
      log.info(
        { typeUrl: report.type, resources: report.names.length, message: report.detail },
        'the proxy rejected one of several resources; they are sent again in parts to find which',
      );
      return;
    case 'acked':
    case 'stale':
    case 'settled':
      log.debug(report, 'discovery');
      return;
    default:
      return report satisfies never;
  }
}
