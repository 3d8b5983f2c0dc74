import type { Parsed } from '../../ca/identity/parsed.ts';
import type { Period } from '../store/store.ts';
import { EDGE_VERDICTS, type EdgeFilter } from './filter.ts';
import { parseInstant } from './instant.ts';

/** What a reader asks for, as written: flags of the command, query parameters of the page. */
export interface QuestionText {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly namespace?: string | undefined;
  readonly workload?: string | undefined;
  readonly identity?: string | undefined;
  /** A host name, or `NAMESPACE/NAME` of a Kubernetes Service. */
  readonly service?: string | undefined;
  readonly verdict?: string | undefined;
}

export interface Question {
  readonly period: Period;
  readonly filter: EdgeFilter;
}

function instant(name: string, text: string | undefined, now: Date): Parsed<number | undefined> {
  if (text === undefined) return { ok: true, value: undefined };
  const parsed = parseInstant(text, now);
  return parsed.ok ? parsed : { ok: false, reason: `${name}: ${parsed.reason}` };
}

/** The name under which Kubernetes serves it, unless the host is written out. */
function hostOf(service: string): string {
  const [namespace, name, more] = service.split('/');
  return namespace === undefined || name === undefined || more !== undefined ? service : `${name}.${namespace}.svc.cluster.local`;
}

/** Parses a question; the reason of a refusal names the part that is wrong. */
export function parseQuestion(text: QuestionText, now: Date): Parsed<Question> {
  const since = instant('since', text.since, now);
  if (!since.ok) return since;
  const until = instant('until', text.until, now);
  if (!until.ok) return until;
  if (since.value !== undefined && since.value >= (until.value ?? Number.POSITIVE_INFINITY))
    return { ok: false, reason: 'since must be before until' };
  const { namespace, workload, identity } = text;
  const service = text.service === undefined ? undefined : hostOf(text.service);
  const verdict = EDGE_VERDICTS.find((one) => one === text.verdict);
  if (text.verdict !== undefined && verdict === undefined)
    return { ok: false, reason: `verdict must be one of ${EDGE_VERDICTS.join(', ')}` };
  return {
    ok: true,
    value: { period: { since: since.value, until: until.value }, filter: { namespace, workload, identity, service, verdict } },
  };
}
