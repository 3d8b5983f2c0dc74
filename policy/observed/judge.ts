import { parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Term } from '../access/atom.ts';
import { decidesOn } from '../access/effective.ts';
import type { Clause } from '../access/rules.ts';
import { type Destination, type Statements, statementsOf } from '../access/world.ts';
import { type Evaluator, prepare } from '../evaluate/evaluate.ts';
import type { Request } from '../evaluate/request.ts';
import { type MtlsSetting, mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import { policiesFor } from '../select.ts';
import type { JudgedCall } from './call.ts';
import type { Judgement, RefusalCause } from './judgement.ts';
import { type Known, truthOf } from './open-truth.ts';

export type Judge = (call: JudgedCall) => Judgement;

/** Stands for the identifiers that a template leaves out, in words about it. */
const SOME_ID = '00000000';

function requestOf(call: JudgedCall, { namespace, labels }: Destination): Request {
  const { principal, address, port, protocol, method, path, service } = call;
  const tcp = protocol === 'TCP';
  return {
    source: { principal, ip: address, remoteIp: address },
    destination: { namespace, labels, ip: undefined, port: parsePort(port ?? 0), protocol, sni: undefined },
    http: {
      method: tcp ? undefined : method,
      host: tcp ? undefined : service,
      path: tcp ? undefined : path?.replaceAll('{id}', SOME_ID),
      headers: new Map(),
    },
    token: undefined,
  };
}

/** `yes`, `no`, or yes where these are as it asks. */
type Match = boolean | readonly string[];

function matchOf({ terms, allows }: Clause, known: Known): Match {
  const open = new Set<string>();
  for (const term of terms) {
    const truth = truthOf(term, known);
    if (truth === 'open') open.add(term.dimension);
    // What cannot be decided counts against the caller.
    else if (truth === 'unknown' ? allows : !truth) return false;
  }
  return open.size === 0 ? true : [...open].sort();
}

const texts = new WeakMap<Clause, string>();

/** What a clause says, whatever its policy is called. */
function textOf(clause: Clause): string {
  const before = texts.get(clause);
  if (before !== undefined) return before;
  const termText = ({ dimension, values, notValues }: Term): unknown => [
    dimension,
    values.map(({ field, text }) => [field, text]),
    notValues.map(({ field, text }) => [field, text]),
  ];
  const made = JSON.stringify([clause.allows, ...clause.terms.map((term) => JSON.stringify(termText(term))).sort()]);
  texts.set(clause, made);
  return made;
}

/** The name under which Envoy knows a rule; it tries them in the byte order of these. */
function envoyName({ policy: { meta }, rule }: Clause): string {
  return `ns[${meta.namespace}]-policy[${meta.name}]-rule[${rule}]`;
}

function inOrder(clauses: readonly Clause[]): readonly Clause[] {
  const named = clauses.map((clause) => ({ clause, name: envoyName(clause) }));
  return named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)).map(({ clause }) => clause);
}

/** Dimensions of which few values come, by which clauses are left out once for many calls. */
const FIRST: ReadonlySet<string> = new Set(['caller', 'port', 'method']);

/** Judges calls to one destination. */
class Bench {
  readonly #snapshot: Snapshot;
  readonly #destination: Destination;
  readonly #statements: Statements;
  readonly #governed: boolean;
  readonly #clauses: readonly Clause[];
  readonly #left = new Map<string, readonly Clause[]>();
  readonly #settings = new Map<number | undefined, MtlsSetting>();
  #evaluator: Evaluator | undefined;

  constructor(snapshot: Snapshot, destination: Destination) {
    this.#snapshot = snapshot;
    this.#destination = destination;
    this.#statements = statementsOf({ snapshot, destination }, snapshot.meshConfig);
    this.#governed = policiesFor(snapshot, destination).some(({ dryRun, action }) => !dryRun && action !== 'AUDIT');
    this.#clauses = inOrder(this.#statements.clauses);
  }

  judge(call: JudgedCall): Judgement {
    const setting = this.#settingOf(call.port);
    if (call.principal === undefined && call.mtls && this.#governed)
      return this.#refused(call, 'peer', '', 'the certificate of the caller does not name exactly one SPIFFE ID');
    if (call.principal === undefined && !call.mtls && setting.mode === 'STRICT')
      return this.#refused(call, 'plain-text', setting.setBy ?? '');
    return this.#byRules({
      call,
      meshConfig: this.#snapshot.meshConfig,
      encrypted: setting.mode !== 'DISABLE',
      tokens: this.#statements.acceptances !== undefined,
    });
  }

  #byRules(known: Known): Judgement {
    const { call } = known;
    const denying: Clause[] = [];
    const allowing: { readonly clause: Clause; readonly match: Match }[] = [];
    const on = new Set<string>();
    for (const clause of this.#leftFor(known)) {
      const match = matchOf(clause, known);
      if (match === false) continue;
      if (clause.allows) allowing.push({ clause, match });
      else if (match === true) return this.#refused(call, 'denied', clause.name);
      else {
        denying.push(clause);
        for (const name of match) on.add(name);
      }
    }
    const required = call.protocol === 'TCP' ? [] : (this.#statements.acceptances ?? []).filter((one) => one.required);
    if (required.some(({ unmeetable }) => unmeetable)) return this.#refused(call, 'token', '');
    if (required.length > 0) on.add('token');
    const sure = allowing.find(({ match }) => match === true);
    if (this.#statements.governed && allowing.length === 0) return this.#refused(call, 'not-allowed', '');
    if (this.#statements.governed && sure === undefined)
      for (const { match } of allowing) if (typeof match !== 'boolean') for (const name of match) on.add(name);
    if (on.size === 0) return { kind: 'granted', by: sure?.clause.name ?? '' };
    const basis = [
      ...denying,
      // Beside a rule that surely allows it others make no difference.
      ...(sure === undefined ? allowing.map(({ clause }) => clause) : []),
    ].map(textOf);
    return {
      kind: 'depends',
      on: [...on].sort(),
      basis: JSON.stringify(
        [
          this.#statements.governed,
          required.length > 0
            ? this.#statements.acceptances?.map(({ terms }) => terms.map(({ values }) => values.map(({ text }) => text)))
            : [],
          ...new Set(basis),
        ].sort(),
      ),
    };
  }

  /** The clauses that caller, port and method leave. */
  #leftFor(known: Known): readonly Clause[] {
    const { principal, port, protocol, method } = known.call;
    const key = JSON.stringify([principal, port, protocol, method, known.encrypted]);
    const before = this.#left.get(key);
    if (before !== undefined) return before;
    const may = (clause: Clause): boolean =>
      clause.terms.every((term) => {
        if (!FIRST.has(term.dimension)) return true;
        const truth = truthOf(term, known);
        return truth === 'unknown' ? !clause.allows : truth !== false;
      });
    const made = this.#clauses.filter((clause) => decidesOn(clause, protocol === 'TCP' ? 'TCP' : 'HTTP') && may(clause));
    this.#left.set(key, made);
    return made;
  }

  #settingOf(written: number | undefined): MtlsSetting {
    const before = this.#settings.get(written);
    if (before !== undefined) return before;
    const port = parsePort(written ?? 0);
    const made =
      port === undefined
        ? workloadMtlsSetting(this.#snapshot, this.#destination)
        : mtlsSetting(this.#snapshot, this.#destination, port);
    this.#settings.set(written, made);
    return made;
  }

  /** The words are made when somebody reads them. */
  #refused(call: JudgedCall, cause: RefusalCause, by: string, why?: string): Judgement {
    const words = (): string => {
      if (why !== undefined) return why;
      this.#evaluator ??= prepare(this.#snapshot, this.#destination);
      const { decision, reason } = this.#evaluator.evaluate(requestOf(call, this.#destination));
      // With what the record leaves open, the request in words may get further than it could.
      return decision === 'DENY' ? reason : `it is refused by ${by === '' ? 'the policies of the workload' : by}`;
    };
    let made: string | undefined;
    return {
      kind: 'not-granted',
      cause,
      by,
      get why() {
        return (made ??= words());
      },
    };
  }
}

/**
 * Judges calls by the policies of a snapshot, each condition as `gatehouse policy check` reads it. What a record does not have (headers,
 * tokens, whole paths) is not made up: where it matters, the answer is that it depends. A token that a call may have carried is taken to
 * be one that its RequestAuthentications take.
 */
export function judge(snapshot: Snapshot, destinations: ReadonlyMap<string, Destination>): Judge {
  const benches = new Map<string, Bench>();
  return (call) => {
    const { destination: name } = call;
    if (name === '') return { kind: 'unknown', why: 'it arrived at no workload that the mesh knew' };
    const destination = destinations.get(name);
    if (destination === undefined) return { kind: 'unknown', why: `${name} is not in the configuration` };
    const bench = benches.get(name) ?? new Bench(snapshot, destination);
    benches.set(name, bench);
    return bench.judge(call);
  };
}
