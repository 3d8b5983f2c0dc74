import { type Port, parsePort } from '../../mesh/model/port.ts';
import { type MtlsSetting, mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import type { Term } from './atom.ts';
import { type Box, difference, has, intersection, merged, setOf } from './box.ts';
import type { Dimension } from './dimension.ts';
import { PRESENT } from './tokens.ts';
import type { Clause } from './rules.ts';
import type { DimensionKey } from './values.ts';
import type { Side, Statements, World } from './world.ts';

/** A clause in numbers: the callers and ports that it is about, and the requests. */
interface Area {
  readonly name: string;
  readonly callers: bigint;
  readonly ports: bigint;
  readonly box: Box;
}

interface Areas {
  readonly allow: readonly Area[];
  readonly deny: readonly Area[];
}

/** The requests of one caller to one port that get through; undefined when they fall into too many pieces to tell. */
export type Region = { readonly boxes: readonly Box[] } | undefined;

type Protocol = 'HTTP' | 'TCP';

/** Whether it can decide about requests of this protocol at all. */
export function decidesOn({ allows, ofHttp, onlyTcp, notOnTcp }: Clause, protocol: Protocol): boolean {
  return protocol === 'HTTP' ? !onlyTcp : !notOnTcp && !(allows && ofHttp);
}

export function innerOf(world: World, protocol: Protocol): readonly Dimension[] {
  return protocol === 'HTTP' ? world.http : world.tcp;
}

/** The classes for which a term holds; what cannot be decided counts where it denies. */
function bitsOf(dimension: Dimension, term: Term, allows: boolean): bigint {
  let bits = dimension.all;
  if (term.values.length > 0) {
    let some = 0n;
    for (const atom of term.values) {
      const { yes, unknown } = dimension.truths(atom);
      some |= allows ? yes : yes | unknown;
    }
    bits &= some;
  }
  for (const atom of term.notValues) {
    const { yes, unknown } = dimension.truths(atom);
    bits &= ~(allows ? yes | unknown : yes);
  }
  return bits;
}

function areaOf(
  world: World,
  inner: readonly Dimension[],
  name: string,
  terms: readonly Term[],
  allows: boolean,
): Area | undefined {
  const bits = new Map<DimensionKey, bigint>();
  const dimensions = new Map([world.callers, world.ports, ...inner].map((one) => [one.key, one]));
  for (const term of terms) {
    const dimension = dimensions.get(term.dimension);
    if (dimension === undefined) continue;
    const found = (bits.get(dimension.key) ?? dimension.all) & bitsOf(dimension, term, allows);
    if (found === 0n) return undefined;
    bits.set(dimension.key, found);
  }
  return {
    name,
    callers: bits.get('caller') ?? world.callers.all,
    ports: bits.get('port') ?? world.ports.all,
    box: inner.map(({ key, all }) => bits.get(key) ?? all),
  };
}

/** Requests that carry claims and yet no token: there are none. */
function impossible(inner: readonly Dimension[]): readonly Box[] {
  const all = inner.map((dimension) => dimension.all);
  const token = inner.findIndex(({ key }) => key === 'token');
  const dimension = inner[token];
  if (dimension === undefined) return [];
  const none = dimension.all & ~dimension.truths(PRESENT).yes;
  return inner.flatMap(({ key, classes, all: every }, at) => {
    if (!key.startsWith('request.auth.')) return [];
    const absent = setOf(classes.flatMap(({ value }, index) => (value === undefined ? [index] : [])));
    const given = every & ~absent;
    return given === 0n || none === 0n ? [] : [all.map((bits, index) => (index === token ? none : index === at ? given : bits))];
  });
}

/** Requests that request authentication refuses; undefined when they fall into too many pieces. */
function refused(world: World, inner: readonly Dimension[], { acceptances }: Statements): readonly Box[] | undefined {
  if (acceptances === undefined || inner.every(({ key }) => key !== 'token')) return [];
  const all = inner.map((dimension) => dimension.all);
  const accepted = acceptances.map(({ required, unmeetable, terms }) => ({
    required,
    area: unmeetable ? undefined : areaOf(world, inner, '', terms, true),
  }));
  const boxes = accepted.flatMap(({ area }) => (area === undefined ? [] : [area.box]));
  const present = inner.map(({ key, all: every, truths }) => (key === 'token' ? truths(PRESENT).yes : every));
  const found = [
    difference([present], boxes),
    ...accepted
      .filter(({ required }) => required)
      .map(({ area }) => (area === undefined ? [all] : difference([all], [area.box]))),
  ];
  return found.some((one) => one === undefined) ? undefined : found.flatMap((one) => one ?? []);
}

/** Who may do what on a destination, as one side of the world has it. */
export class Effective {
  readonly #world: World;
  readonly #side: Side;
  readonly #statements: Statements;
  readonly #areas = new Map<Protocol, Areas>();
  readonly #cuts = new Map<Protocol, readonly Box[] | undefined>();
  readonly #regions = new Map<string, Region>();
  readonly #plain: number;

  constructor(world: World, at: number, side: Side) {
    const statements = world.statements[at];
    if (statements === undefined) throw new RangeError(`a world without side ${at}`);
    this.#world = world;
    this.#side = side;
    this.#statements = statements;
    this.#plain = world.callers.classes.findIndex(({ value }) => value === undefined);
  }

  setting(port: Port): MtlsSetting {
    return mtlsSetting(this.#side.snapshot, this.#side.destination, port);
  }

  region(port: number, caller: number, protocol: Protocol): Region {
    if (this.#settingAt(port).mode === 'STRICT' && caller === this.#plain) return { boxes: [] };
    const known = this.#knownAs(port, caller);
    const { allow, deny } = this.#areasOf(protocol);
    const about = ({ callers, ports }: Area): boolean => has(callers, known) && has(ports, port);
    const grants = allow.filter(about);
    const denials = deny.filter(about);
    const key = `${protocol} ${grants.map((area) => allow.indexOf(area)).join(',')} ${denials.map((area) => deny.indexOf(area)).join(',')}`;
    if (this.#regions.has(key)) return this.#regions.get(key);
    const region = this.#cut(protocol, grants, denials);
    this.#regions.set(key, region);
    return region;
  }

  #cut(protocol: Protocol, grants: readonly Area[], denials: readonly Area[]): Region {
    const inner = innerOf(this.#world, protocol);
    const all = inner.map((dimension) => dimension.all);
    const within = areaOf(this.#world, inner, '', protocol === 'HTTP' ? this.#world.within : [], true);
    const cuts = this.#cutsOf(protocol);
    if (cuts === undefined) return undefined;
    if (within === undefined) return { boxes: [] };
    const start = this.#statements.governed ? grants.map(({ box }) => box) : [all];
    const boxes = difference(
      start.flatMap((box) => {
        const shared = intersection(box, within.box);
        return shared === undefined ? [] : [shared];
      }),
      [...denials.map(({ box }) => box), ...cuts],
    );
    if (boxes === undefined) return undefined;
    return { boxes: merged(boxes) };
  }

  /** The ALLOW rules that let a caller do some of what is in a box. */
  grantedBy(port: number, caller: number, protocol: Protocol, box: Box): readonly string[] {
    const known = this.#knownAs(port, caller);
    const { allow } = this.#areasOf(protocol);
    return allow.flatMap((area) =>
      has(area.callers, known) && has(area.ports, port) && intersection(area.box, box) !== undefined ? [area.name] : [],
    );
  }

  /** Without TLS nobody is known. */
  #knownAs(port: number, caller: number): number {
    return this.#settingAt(port).mode === 'DISABLE' ? this.#plain : caller;
  }

  #settingAt(port: number): MtlsSetting {
    const number = parsePort(Number(this.#world.ports.classes[port]?.value?.[0]));
    return number === undefined ? workloadMtlsSetting(this.#side.snapshot, this.#side.destination) : this.setting(number);
  }

  #cutsOf(protocol: Protocol): readonly Box[] | undefined {
    if (!this.#cuts.has(protocol)) {
      const inner = innerOf(this.#world, protocol);
      const refusals = protocol === 'TCP' ? [] : refused(this.#world, inner, this.#statements);
      this.#cuts.set(protocol, refusals && [...refusals, ...impossible(inner)]);
    }
    return this.#cuts.get(protocol);
  }

  #areasOf(protocol: Protocol): Areas {
    const known = this.#areas.get(protocol);
    if (known !== undefined) return known;
    const inner = innerOf(this.#world, protocol);
    const of = (allows: boolean): readonly Area[] =>
      this.#statements.clauses
        .filter((clause) => clause.allows === allows && decidesOn(clause, protocol))
        .flatMap(({ name, terms }) => areaOf(this.#world, inner, name, terms, allows) ?? []);
    const made = { allow: of(true), deny: of(false) };
    this.#areas.set(protocol, made);
    return made;
  }
}
