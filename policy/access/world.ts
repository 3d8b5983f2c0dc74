import { jwtRulesFor } from '../request-authentication/applying.ts';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { findProvider } from '../../mesh/model/extension-provider.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { type Labels, selects } from '../../mesh/model/object.ts';
import { type Port, parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';
import { policiesFor } from '../select.ts';
import { type Atom, type Term, operationTerms } from './atom.ts';
import { type Candidates, callers, candidatesFor } from './candidates.ts';
import { type Dimension, type Located, dimension } from './dimension.ts';
import { type Clause, beforeTokens, clausesOf } from './rules.ts';
import { type Acceptance, PRESENT, acceptanceOf } from './tokens.ts';
import { type DimensionKey, isOfHttp, isOfToken } from './values.ts';

/** Where calls go: a workload with its own ports. Which protocol a port has is the routing's to say. */
export interface Destination {
  /** `namespace/name`. */
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly ports: readonly { readonly port: Port; readonly protocol: 'HTTP' | 'TCP' }[];
  /** Names that people call it by. */
  readonly hosts: readonly string[];
}

/** One state of the mesh; two of them are compared. */
export interface Side {
  readonly snapshot: Snapshot;
  readonly destination: Destination;
}

/** Only these requests are looked at. */
export interface Within {
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  readonly host?: string | undefined;
}

/** What the policies of one side say, taken apart. */
export interface Statements {
  readonly meshConfig: MeshConfig;
  readonly clauses: readonly Clause[];
  readonly governed: boolean;
  /** Tokens that request authentication lets pass; undefined: any. */
  readonly acceptances: readonly Acceptance[] | undefined;
}

/** All that requests to a destination can differ in, as far as its policies tell them apart. */
export interface World {
  readonly callers: Dimension;
  readonly ports: Dimension;
  /** Callers and ports left out; paths first. */
  readonly http: readonly Dimension[];
  readonly tcp: readonly Dimension[];
  readonly statements: readonly Statements[];
  readonly within: readonly Term[];
  /** False when there was too much to tell apart. */
  readonly complete: boolean;
}

const FIRST: readonly DimensionKey[] = ['path', 'method', 'host'];

const decides = ({ dryRun, action }: AuthorizationPolicy): boolean => !dryRun && action !== 'AUDIT';

/** Many workloads have the same policies. */
const clausesFor = keptBy(
  (policies: readonly AuthorizationPolicy[], snapshot: Snapshot, meshConfig: MeshConfig): readonly Clause[] =>
    policies.filter(decides).flatMap((policy) => asked(clausesOf(policy, meshConfig), policy, snapshot, meshConfig)),
);

export function statementsOf({ snapshot, destination }: Side, meshConfig: MeshConfig): Statements {
  const policies = policiesFor(snapshot, destination);
  return {
    meshConfig,
    clauses: clausesFor(policies, snapshot, meshConfig),
    governed: policies.some((policy) => decides(policy) && policy.action === 'ALLOW'),
    acceptances: acceptanceOf(jwtRulesFor(snapshot, destination)),
  };
}

/**
 * What a CUSTOM policy matches is refused unless its provider allows it, and that before tokens are verified. One whose provider
 * nobody is denies as a DENY policy does.
 */
function asked(
  clauses: readonly Clause[],
  { action, provider }: AuthorizationPolicy,
  snapshot: Snapshot,
  meshConfig: MeshConfig,
): readonly Clause[] {
  if (action !== 'CUSTOM') return clauses;
  const found = findProvider(snapshot, provider);
  if (found.kind === 'unknown') return clauses;
  const notOnTcp = found.provider.kind === 'ext-authz-http';
  const there = found.kind === 'found' || snapshot.services.length === 0;
  const name = provider ?? '';
  const unless = there ? [{ dimension: `extAuthz[${name}]`, values: [], notValues: [allowed(name)] }] : [];
  return clauses.map((clause) => {
    const read = beforeTokens(clause, meshConfig);
    return { ...read, notOnTcp, terms: [...read.terms, ...unless] };
  });
}

function allowed(provider: string): Atom {
  return {
    dimension: `extAuthz[${provider}]`,
    field: 'extAuthz',
    text: 'allow',
    truth: (_, { extAuthz }) => extAuthz?.get(provider) === 'allow',
    languages: [],
  };
}

function only(value: string | undefined) {
  return { values: value === undefined ? [] : [{ kind: 'exact' as const, value }], notValues: [] };
}

function withinTerms({ method, path, host }: Within, { snapshot, destination }: Side): readonly Term[] {
  const meta = {
    kind: 'AuthorizationPolicy' as const,
    apiVersion: '',
    namespace: destination.namespace,
    name: 'within',
    labels: {},
    annotations: {},
    createdAt: undefined,
    origin: { file: '', line: 0 },
  };
  const ports = { values: [], notValues: [] };
  return operationTerms(
    { meta, meshConfig: snapshot.meshConfig },
    { methods: only(method), paths: only(path), hosts: only(host), ports },
  );
}

/** A port that nobody names stands for all others. */
function otherPort(named: ReadonlySet<number>): Port {
  for (let number = 1; ; number++) {
    const port = named.has(number) ? undefined : parsePort(number);
    if (port !== undefined) return port;
    if (number > 65_535) throw new RangeError('every port is named');
  }
}

/** @param known SPIFFE IDs without their scheme of callers that are there anyhow */
export function worldOf(sides: readonly Side[], known: readonly string[], within: Within = {}): World {
  const [first] = sides;
  // One settings object for sides that have the same, so that equal conditions are the same one.
  const configs = sides.map(({ snapshot }) => snapshot.meshConfig);
  const same = configs.every((config) => JSON.stringify(config) === JSON.stringify(configs[0]));
  const statements = sides.map((side) => statementsOf(side, (same ? configs[0] : undefined) ?? side.snapshot.meshConfig));
  const filters = first === undefined ? [] : withinTerms(within, first);
  const meshConfigs = [...new Set(statements.map(({ meshConfig }) => meshConfig))];
  const located = new Map<DimensionKey, Located[]>();
  const add = (atom: Atom, meshConfig: MeshConfig): void => {
    located.set(atom.dimension, [...(located.get(atom.dimension) ?? []), { atom, meshConfig }]);
  };
  const terms = (list: readonly Term[], meshConfig: MeshConfig): void => {
    for (const term of list) for (const atom of [...term.values, ...term.notValues]) add(atom, meshConfig);
  };
  for (const { clauses, meshConfig, acceptances } of statements) {
    for (const clause of clauses) terms(clause.terms, meshConfig);
    for (const acceptance of acceptances ?? []) terms(acceptance.terms, meshConfig);
  }
  for (const meshConfig of meshConfigs) terms(filters, meshConfig);
  const [meshConfig] = meshConfigs;
  if (meshConfig !== undefined && [...located.keys()].some(isOfToken)) add(PRESENT, meshConfig);

  const atomsOf = (key: DimensionKey): readonly Atom[] => (located.get(key) ?? []).map(({ atom }) => atom);
  const named = new Set<number>([
    ...sides.flatMap(({ destination }) => destination.ports.map(({ port }) => port)),
    ...sides.flatMap(({ snapshot, destination }) =>
      snapshot.peerAuthentications
        .filter(({ meta, selector }) => meta.namespace === destination.namespace && selects(selector, destination.labels))
        .flatMap(({ portLevel }) => [...portLevel.keys()]),
    ),
    ...atomsOf('port')
      .map(({ text }) => Number(text))
      .filter((port) => Number.isInteger(port) && port >= 1 && port <= 65_535),
  ]);
  const other = otherPort(named);
  const made = (key: DimensionKey, { candidates, complete }: Candidates): Dimension =>
    dimension(key, located.get(key) ?? [], candidates, complete, other);
  const hosts = [...new Set(sides.flatMap(({ destination }) => destination.hosts))];
  const inner = [...located.keys()]
    .filter((key) => key !== 'caller' && key !== 'port')
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map((key) => made(key, candidatesFor(key, atomsOf(key), meshConfigs, hosts)));
  const callerDimension = made('caller', callers(atomsOf('caller'), meshConfigs, known));
  const portValues = [...[...named].sort((a, b) => a - b), other].map((port) => ({ value: [String(port)], tag: String(port) }));
  return {
    callers: callerDimension,
    ports: made('port', { candidates: portValues, complete: true }),
    http: inner,
    tcp: inner.filter(({ key }) => !isOfHttp(key)),
    statements,
    within: filters,
    complete: [callerDimension, ...inner].every(({ complete }) => complete),
  };
}

function rank(key: DimensionKey): number {
  const at = FIRST.indexOf(key);
  return at < 0 ? FIRST.length : at;
}
