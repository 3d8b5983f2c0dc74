import { isIP } from 'node:net';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { Atom, Term } from '../access/atom.ts';
import { bracketed, isOfToken } from '../access/values.ts';
import { type Facts, factsOf } from '../evaluate/facts.ts';
import type { Request } from '../evaluate/request.ts';
import { type Truth, both, either, negate } from '../evaluate/truth.ts';
import type { JudgedCall } from './call.ts';
import { isTemplate, relationOf } from './template.ts';

/**
 * What a record says of a call to one kind of port, and what it leaves open. `truth`s are those of policy/evaluate, asked of the attributes
 * that are known; no attribute is made up.
 */
export interface Known {
  readonly call: JudgedCall;
  readonly meshConfig: MeshConfig;
  /** False where the port takes no TLS: then nobody is authenticated. */
  readonly encrypted: boolean;
  /** Whether a proxy verifies tokens there; where none does, no request has one for policies. */
  readonly tokens: boolean;
}

/** Open: it differs from call to call, or nobody wrote it down. */
export type OpenTruth = Truth | 'open';

/** The values in which one attribute of such calls may come; undefined: nobody knows. */
type Forms = readonly (string | undefined)[] | undefined;

/** A Service is called by any of its names; what is not one of a Service only by its own. */
function hostForms(service: string | undefined): Forms {
  if (service === undefined) return undefined;
  const [name = '', namespace, svc] = service.split('.');
  if (svc !== 'svc' || namespace === undefined) return [service];
  return [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, service];
}

function formsOf(dimension: string, { call, encrypted, tokens }: Known): Forms {
  const tcp = call.protocol === 'TCP';
  const address = call.address !== undefined && isIP(call.address) !== 0 ? call.address : undefined;
  switch (dimension) {
    case 'caller':
      return [encrypted ? call.principal : undefined];
    case 'port':
      return call.port === undefined ? undefined : [String(call.port)];
    case 'method':
      return tcp
        ? [undefined]
        : call.method === undefined || !/^[A-Z]+$/.test(call.method) || call.method === 'OTHER'
          ? undefined
          : [call.method];
    case 'host':
      return tcp ? [undefined] : hostForms(call.service);
    case 'path':
      return tcp ? [undefined] : call.path === undefined ? undefined : [call.path];
    case 'source.ip':
      return address === undefined ? undefined : [address];
    case 'remote.ip':
      // Of a request, what X-Forwarded-For says may count.
      return tcp && address !== undefined ? [address] : undefined;
    case 'connection.sni':
      // A connection through a port that takes no TLS may be TLS of the application's own.
      return call.mtls || tcp ? undefined : [undefined];
    case 'destination.ip':
      return undefined;
    default:
      if (isOfToken(dimension)) return tokens && !tcp ? undefined : [undefined];
      if (bracketed(dimension, 'extAuthz') !== undefined) return undefined;
      if (bracketed(dimension, 'request.headers') !== undefined) return tcp ? [undefined] : undefined;
      // Of these policy/evaluate knows by itself that nothing can be said.
      return [undefined];
  }
}

function factsFor(
  dimension: string,
  value: string | undefined,
  { call, meshConfig }: Known,
): { readonly facts: Facts; readonly request: Request } {
  const is = (name: string): string | undefined => (dimension === name ? value : undefined);
  const port = dimension === 'port' ? parsePort(Number(value)) : undefined;
  const request: Request = {
    source: { principal: is('caller'), ip: is('source.ip'), remoteIp: is('remote.ip') },
    destination: { namespace: '', labels: {}, ip: undefined, port, protocol: call.protocol, sni: undefined },
    http: { method: is('method'), host: is('host'), path: is('path'), headers: new Map() },
    token: undefined,
  };
  return { facts: factsOf(request, meshConfig, true, undefined), request };
}

const OF_QUERY = 'request.headers[:path]';

function ofTemplate(atom: Atom, path: string): OpenTruth {
  const relation = relationOf(atom, path, atom.field === OF_QUERY);
  return relation === 'some' ? 'open' : relation === 'all';
}

function freshTruth(atom: Atom, value: string | undefined, known: Known): OpenTruth {
  if (atom.dimension === 'path' && value !== undefined) {
    if (isTemplate(value)) return ofTemplate(atom, value);
    // Records leave queries out.
    if (atom.field === OF_QUERY) return atom.text.endsWith('*') ? ofTemplate(atom, value) : 'open';
  }
  const { facts, request } = factsFor(atom.dimension, value, known);
  return atom.truth(facts, request);
}

type Answers = Map<string, OpenTruth>;

/** Many policies have the same values: atoms of one text answer alike, whatever policy they are of. */
const shared = new WeakMap<MeshConfig, Map<string, Answers>>();
const ofAtom = new WeakMap<Atom, Answers>();

function answersOf(atom: Atom, meshConfig: MeshConfig): Answers {
  const known = ofAtom.get(atom);
  if (known !== undefined) return known;
  const all = shared.get(meshConfig) ?? new Map<string, Answers>();
  shared.set(meshConfig, all);
  const key = `${atom.dimension}\n${atom.field}\n${atom.text}`;
  const made: Answers = all.get(key) ?? new Map<string, OpenTruth>();
  all.set(key, made);
  ofAtom.set(atom, made);
  return made;
}

const MOST_KEPT = 10_000;

function atomTruth(atom: Atom, value: string | undefined, known: Known): OpenTruth {
  const answers = answersOf(atom, known.meshConfig);
  const key = keyOf(value, known);
  const before = answers.get(key);
  if (before !== undefined) return before;
  const made = freshTruth(atom, value, known);
  if (answers.size >= MOST_KEPT) answers.clear();
  answers.set(key, made);
  return made;
}

function keyOf(value: string | undefined, { call }: Known): string {
  const protocol = call.protocol === 'TCP' ? 'T' : 'H';
  return value === undefined ? protocol : `${protocol} ${value}`;
}

function eitherOpen(truths: readonly OpenTruth[]): OpenTruth {
  if (truths.includes(true)) return true;
  if (truths.includes('open')) return 'open';
  return either(truths, (truth) => (truth === 'open' ? 'unknown' : truth));
}

function not(truth: OpenTruth): OpenTruth {
  return truth === 'open' ? truth : negate(truth);
}

function truthFor(term: Term, value: string | undefined, known: Known): OpenTruth {
  const of = (atoms: readonly Atom[]): OpenTruth => eitherOpen(atoms.map((atom) => atomTruth(atom, value, known)));
  const parts = [
    ...(term.values.length === 0 ? [] : [of(term.values)]),
    ...(term.notValues.length === 0 ? [] : [not(of(term.notValues))]),
  ];
  if (parts.includes(false)) return false;
  if (parts.includes('open')) return 'open';
  return both(parts, (truth) => (truth === 'open' ? 'unknown' : truth));
}

const kept = new WeakMap<MeshConfig, WeakMap<Term, Map<string, OpenTruth>>>();

/** Whether a term holds for such calls. Worked out once for each value of what it looks at. */
export function truthOf(term: Term, known: Known): OpenTruth {
  const forms = formsOf(term.dimension, known);
  if (forms === undefined) return 'open';
  const ofTerms = kept.get(known.meshConfig) ?? new WeakMap<Term, Map<string, OpenTruth>>();
  kept.set(known.meshConfig, ofTerms);
  const answers = ofTerms.get(term) ?? new Map<string, OpenTruth>();
  ofTerms.set(term, answers);
  const truths = forms.map((value) => {
    const key = keyOf(value, known);
    const before = answers.get(key);
    if (before !== undefined) return before;
    const made = truthFor(term, value, known);
    if (answers.size >= MOST_KEPT) answers.clear();
    answers.set(key, made);
    return made;
  });
  const [first = 'open'] = truths;
  return truths.every((truth) => truth === first) ? first : 'open';
}

/** Whether one value of a policy may be what such calls have; where records do not tell, it may. */
export function mayHold(atom: Atom, known: Known): boolean {
  const forms = formsOf(atom.dimension, known);
  return forms === undefined || forms.some((value) => atomTruth(atom, value, known) !== false);
}
