import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Term } from '../access/atom.ts';
import type { Clause } from '../access/rules.ts';
import type { Acceptance } from '../access/tokens.ts';
import { type Destination, type Statements, statementsOf } from '../access/world.ts';
import { type Evaluator, prepare } from '../evaluate/evaluate.ts';
import type { Request } from '../evaluate/request.ts';
import { type MtlsSetting, mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import { policiesFor } from '../select.ts';
import type { JudgedCall, ObservedCall } from './call.ts';
import type { Judgement, RefusalCause } from './judgement.ts';
import type { Known } from './open-truth.ts';
import { type Matches, type Matching, RuleIndex, type Rules } from './rule-index.ts';

/** What calls tell of themselves by having been let through under other policies: each of those rules either let them in or did not stop them. */
export interface Given {
  /** Rules that deny, as texts: none of these matched. */
  readonly passed: () => ReadonlySet<string>;
  /** Rules that allow, as texts: one of these matched; empty: nobody knows which. */
  readonly allowedBy: () => readonly string[];
  /** Which tokens were taken, as texts; undefined: none was looked at. */
  readonly tokens: ReadonlySet<string> | undefined;
}

export interface Judge {
  /** @param given what is known of these calls beside the record */
  (call: JudgedCall, given?: Given): Judgement;
  /** What these policies tell of calls that they let through; undefined where they did not, or were not asked. */
  given(call: ObservedCall): Given | undefined;
}

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

function surelyAllowed(matches: Matches, given: Given | undefined): Clause | undefined {
  const { allowed } = matches;
  if (allowed !== undefined || given === undefined) return allowed;
  const allowedBy = given.allowedBy();
  if (allowedBy.length === 0) return undefined;
  const byText = new Map(matches.allowing.map(({ clause }) => [textOf(clause), clause]));
  return allowedBy.every((text) => byText.has(text)) ? byText.get(allowedBy[0] ?? '') : undefined;
}

const REQUIRED = 'required ';

function acceptanceText({ required, terms }: Acceptance): string {
  const words = terms.map(({ dimension, values }) => [dimension, values.map(({ text }) => text)]);
  return `${required ? REQUIRED : ''}${JSON.stringify(words)}`;
}

/** Judges calls to one destination. */
class Bench {
  readonly #snapshot: Snapshot;
  readonly #destination: Destination;
  readonly #statements: Statements;
  readonly #governed: boolean;
  readonly #rules: Rules;
  readonly #settings = new Map<number | undefined, MtlsSetting>();
  readonly #required: readonly Acceptance[];
  readonly #tokens: ReadonlySet<string> | undefined;
  #evaluator: Evaluator | undefined;
  #last: { readonly call: JudgedCall; readonly matches: Matches } | undefined;

  constructor(snapshot: Snapshot, destination: Destination, rulesOf: (statements: Statements) => Rules) {
    this.#snapshot = snapshot;
    this.#destination = destination;
    this.#statements = statementsOf({ snapshot, destination }, snapshot.meshConfig);
    this.#governed = policiesFor(snapshot, destination).some(({ dryRun, action }) => !dryRun && action !== 'AUDIT');
    this.#rules = rulesOf(this.#statements);
    const { acceptances } = this.#statements;
    this.#required = acceptances?.filter(({ required }) => required) ?? [];
    this.#tokens = acceptances && new Set(acceptances.map(acceptanceText));
  }

  judge(call: JudgedCall, given: Given | undefined): Judgement {
    const setting = this.#settingOf(call.port);
    if (call.principal === undefined && call.mtls && this.#governed)
      return this.#refused(call, 'peer', '', 'the certificate of the caller does not name exactly one SPIFFE ID');
    if (call.principal === undefined && !call.mtls && setting.mode === 'STRICT')
      return this.#refused(call, 'plain-text', setting.setBy ?? '');
    const matches = this.#matches(call, setting);
    const passed = (clause: Clause): boolean => given?.passed().has(textOf(clause)) === true;
    const denying = matches.denying.filter(({ clause }) => !passed(clause));
    const denied = denying.find(({ match }) => match === true);
    if (denied !== undefined) return this.#refused(call, 'denied', denied.clause.name);
    const http = call.protocol !== 'TCP';
    if (http && this.#required.some(({ unmeetable }) => unmeetable)) return this.#refused(call, 'token', '');
    const { governed } = this.#statements;
    if (governed && !matches.mayAllow) return this.#refused(call, 'not-allowed', '');
    const sure = governed ? surelyAllowed(matches, given) : undefined;
    const tokens = http && this.#asksForOtherTokens(given);
    const doubtful = governed && sure === undefined;
    if (denying.length === 0 && !doubtful && !tokens) return { kind: 'granted', by: sure?.name ?? '' };
    const open = (): readonly Matching[] => [
      ...matches.denying.filter(({ clause }) => !passed(clause)),
      ...(doubtful ? matches.allowing : []),
    ];
    const on = new Set([...(tokens ? ['token'] : []), ...open().flatMap(({ match }) => (match === true ? [] : match))]);
    const taken = tokens ? [...(this.#tokens ?? [])] : [];
    return {
      kind: 'depends',
      on: [...on].sort(),
      get basis() {
        const basis = new Set(open().map(({ clause }) => textOf(clause)));
        return JSON.stringify([governed, taken, ...[...basis].sort()]);
      },
    };
  }

  given(call: ObservedCall): Given | undefined {
    if (call.decision !== 'ALLOW' || this.judge(call, undefined).kind === 'not-granted') return undefined;
    const matches = this.#matches(call, this.#settingOf(call.port));
    let passed: ReadonlySet<string> | undefined;
    return {
      passed: () => (passed ??= new Set(matches.denying.map(({ clause }) => textOf(clause)))),
      allowedBy: () => {
        const { allowing } = matches;
        const named = call.by === undefined ? undefined : `${call.by.policy} rule ${call.by.rule ?? ''}`;
        const ofNamed = allowing.filter(({ clause }) => clause.name === named);
        return (ofNamed.length > 0 ? ofNamed : allowing).map(({ clause }) => textOf(clause));
      },
      tokens: this.#tokens,
    };
  }

  /** Of the call that was asked about last it is known: what it comes to is asked before what it tells. */
  #matches(call: JudgedCall, setting: MtlsSetting): Matches {
    if (this.#last?.call === call) return this.#last.matches;
    const known: Known = {
      call,
      meshConfig: this.#snapshot.meshConfig,
      encrypted: setting.mode !== 'DISABLE',
      tokens: this.#statements.acceptances !== undefined,
    };
    const matches = this.#rules.matches(known);
    this.#last = { call, matches };
    return matches;
  }

  /** Whether its token may be the reason that a call is refused: one is required, or others are taken than were. */
  #asksForOtherTokens(given: Given | undefined): boolean {
    const own = this.#tokens;
    if (own === undefined) return false;
    if (given === undefined) return this.#required.length > 0;
    const { tokens = new Set<string>() } = given;
    const more = [...own].some((text) => !tokens.has(text) && (tokens.size === 0 || text.startsWith(REQUIRED)));
    return more || [...tokens].some((text) => !own.has(text));
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
 *
 * @param made of the rules that apply to a workload; a test holds the index against one that asks them all
 */
export function judge(
  snapshot: Snapshot,
  destinations: ReadonlyMap<string, Destination>,
  made: (clauses: readonly Clause[]) => Rules = (clauses) => new RuleIndex(clauses),
): Judge {
  const benches = new Map<string, Bench>();
  // Many workloads have the same policies.
  const rules = new Map<readonly AuthorizationPolicy[], Rules>();
  const benchOf = (name: string): Bench | undefined => {
    const before = benches.get(name);
    if (before !== undefined) return before;
    const destination = destinations.get(name);
    if (destination === undefined) return undefined;
    const policies = policiesFor(snapshot, destination);
    const rulesOf = ({ clauses }: Statements): Rules => {
      const known = rules.get(policies) ?? made(clauses);
      rules.set(policies, known);
      return known;
    };
    const bench = new Bench(snapshot, destination, rulesOf);
    benches.set(name, bench);
    return bench;
  };
  const judging = (call: JudgedCall, given?: Given): Judgement =>
    benchOf(call.destination)?.judge(call, given) ?? { kind: 'unknown', why: `${call.destination} is not in the configuration` };
  return Object.assign(judging, { given: (call: ObservedCall) => benchOf(call.destination)?.given(call) });
}
