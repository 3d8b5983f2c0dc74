import { parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type Answer, whoCan } from '../../policy/access/who-can.ts';
import type { Destination } from '../../policy/access/world.ts';
import { type Evaluator, prepare } from '../../policy/evaluate/evaluate.ts';
import type { Request } from '../../policy/evaluate/request.ts';
import type { EdgeKey } from '../model/edge.ts';

/** What policies say of calls that were seen, as far as records tell of them. */
export type Judgement =
  /** `by`: the rule, as `NAMESPACE/NAME rule N`; empty where no ALLOW policy applies. */
  | { readonly kind: 'granted'; readonly by: string }
  /** Some such calls are granted: it depends on what records do not have, such as headers and tokens. */
  | { readonly kind: 'depends'; readonly on: readonly string[] }
  | { readonly kind: 'not-granted'; readonly why: string }
  /** Nothing can be said. */
  | { readonly kind: 'unknown'; readonly why: string };

export type Judge = (key: EdgeKey) => Judgement;

const TEMPLATE = /\{(?:id|other)\}/;
/** Stands for the identifiers that a template leaves out: matches what any of them matches, and no path that is written out. */
const SOME_ID = '00000000';

function protocolOf({ protocol }: EdgeKey): Request['destination']['protocol'] {
  return protocol === 'TCP' || protocol === 'GRPC' ? protocol : 'HTTP';
}

function requestOf(key: EdgeKey, { namespace, labels }: Destination): Request {
  const protocol = protocolOf(key);
  const ip = key.sourceAddress === '' || key.sourceAddress === '{other}' ? undefined : key.sourceAddress;
  const tcp = protocol === 'TCP';
  return {
    source: { principal: key.sourcePrincipal === '' ? undefined : key.sourcePrincipal, ip, remoteIp: ip },
    destination: { namespace, labels, ip: undefined, port: parsePort(key.port), protocol, sni: undefined },
    http: {
      method: tcp ? undefined : key.method,
      host: tcp || key.service === '' ? undefined : key.service,
      path: tcp ? undefined : key.path.replaceAll('{id}', SOME_ID),
      headers: new Map(),
    },
    token: undefined,
  };
}

function ruleText({ policy, rule }: { readonly policy: string | undefined; readonly rule: number | undefined }): string {
  return policy === undefined ? '' : rule === undefined ? policy : `${policy} rule ${rule}`;
}

/** The conditions under which some calls like it are granted; undefined: none is. */
function conditions({ tables }: Answer, { port, protocol }: Request['destination']): readonly string[] | undefined {
  const mine = tables.filter(
    (table) =>
      (port === undefined || table.ports.includes(port) || table.others) &&
      table.protocol === (protocol === 'TCP' ? 'TCP' : 'HTTP'),
  );
  const grants = mine.flatMap((table) => table.grants);
  if (grants.length === 0) return mine.some(({ untold }) => untold.length > 0) ? ['more than can be told'] : undefined;
  return [...new Set(grants.flatMap((grant) => grant.conditions.map(({ key }) => key)))].sort();
}

function judged(snapshot: Snapshot, destination: Destination, evaluator: Evaluator, key: EdgeKey): Judgement {
  if (key.mtls && key.sourcePrincipal === '')
    return { kind: 'not-granted', why: 'the certificate of the caller does not name exactly one SPIFFE ID' };
  const request = requestOf(key, destination);
  const verdict = evaluator.evaluate(request);
  if (verdict.decision === 'ALLOW') return { kind: 'granted', by: ruleText(verdict) };
  // The record has no headers and no token: with some of them it may be granted after all.
  const id = request.source.principal?.slice('spiffe://'.length);
  const one = {
    value: id === undefined ? undefined : [id],
    shown: id === undefined ? ({ kind: 'plain-text' } as const) : ({ kind: 'identity', principal: id } as const),
  };
  const within = { method: request.http.method, path: request.http.path };
  const on = conditions(whoCan({ snapshot, destination }, [], within, one), request.destination);
  if (on !== undefined) {
    const open = on.filter((name) => name !== 'method' && name !== 'path');
    return { kind: 'depends', on: open.length === 0 ? ['what the record does not have'] : open };
  }
  if (TEMPLATE.test(key.path)) {
    const other = conditions(whoCan({ snapshot, destination }, [], { method: request.http.method }, one), request.destination);
    if (other !== undefined) return { kind: 'depends', on: ['path'] };
  }
  return { kind: 'not-granted', why: verdict.reason };
}

/** Beyond this many different calls answers are made anew. */
const MOST_KEPT = 200_000;

/**
 * Judges calls by the policies of a snapshot, by the evaluator of `gatehouse policy check`. What a record does not have (headers, tokens,
 * whole paths) is not made up: where it matters, the answer is that it depends.
 */
export function judge(snapshot: Snapshot, destinations: ReadonlyMap<string, Destination>): Judge {
  const evaluators = new Map<string, Evaluator>();
  const known = new Map<string, Judgement>();
  return (key) => {
    const name = key.destinationWorkload;
    if (name === '') return { kind: 'unknown', why: 'it arrived at no workload that the mesh knew' };
    const destination = destinations.get(name);
    if (destination === undefined) return { kind: 'unknown', why: `${name} is not in the configuration` };
    const { sourcePrincipal, sourceAddress, service, port, protocol, method, path, mtls } = key;
    const at = JSON.stringify([name, sourcePrincipal, sourceAddress, service, port, protocol, method, path, mtls]);
    const before = known.get(at);
    if (before !== undefined) return before;
    const evaluator = evaluators.get(name) ?? prepare(snapshot, destination);
    evaluators.set(name, evaluator);
    const made = judged(snapshot, destination, evaluator, key);
    if (known.size >= MOST_KEPT) known.clear();
    known.set(at, made);
    return made;
  };
}

export function judgementText(judgement: Judgement): string {
  switch (judgement.kind) {
    case 'granted':
      return judgement.by === '' ? 'granted: no ALLOW policy applies' : `granted by ${judgement.by}`;
    case 'depends':
      return `depends on ${judgement.on.join(', ')}`;
    case 'not-granted':
      return `not granted: ${judgement.why}`;
    case 'unknown':
      return `unknown: ${judgement.why}`;
    default:
      return judgement satisfies never;
  }
}
