import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { type Port, parsePort } from '../../mesh/model/port.ts';
import { type Facts, factsOf } from '../evaluate/facts.ts';
import type { Atom } from './atom.ts';
import { type DimensionKey, type Target, type Value, requestOf } from './values.ts';

/** Requests that no atom of a dimension tells apart. */
export interface Class {
  /** That of one of them. */
  readonly value: Value;
  /** Others that were thought of and are of this class. */
  readonly values: readonly Value[];
}

/** For one atom, the classes for which it is true, and those for which it cannot be decided. */
export interface Truths {
  readonly yes: bigint;
  readonly unknown: bigint;
}

export interface Dimension {
  readonly key: DimensionKey;
  /** One for each meaning; those of different policies that mean the same are one. */
  readonly atoms: readonly Atom[];
  readonly classes: readonly Class[];
  readonly all: bigint;
  /** False when kinds of values may have been overlooked, there being too many. */
  readonly complete: boolean;
  readonly truths: (atom: Atom) => Truths;
}

/** A value to sort into classes; those with different tags never share one. */
export interface Candidate {
  readonly value: Value;
  readonly tag?: string;
}

/** An atom of one policy means what that of another does when both say the same in the same mesh. */
export interface Located {
  readonly atom: Atom;
  readonly meshConfig: MeshConfig;
}

const ANYWHERE: Omit<Target, 'port'> = Object.freeze({ namespace: 'x', labels: Object.freeze({}), protocol: 'HTTP' });

/** Sorts values into classes by what the atoms say of them; the first of each class stands for it. */
export function dimension(
  key: DimensionKey,
  located: readonly Located[],
  candidates: readonly Candidate[],
  complete: boolean,
  port: Port,
): Dimension {
  const numbers = new Map<Atom, number>();
  const distinct: Located[] = [];
  const meanings = new Map<MeshConfig, Map<string, number>>();
  for (const one of located) {
    if (numbers.has(one.atom)) continue;
    const known = meanings.get(one.meshConfig) ?? new Map<string, number>();
    meanings.set(one.meshConfig, known);
    const meaning = `${one.atom.field}\n${one.atom.text}`;
    const number = known.get(meaning) ?? distinct.length;
    if (number === distinct.length) distinct.push(one);
    known.set(meaning, number);
    numbers.set(one.atom, number);
  }
  const classes: { value: Value; values: Value[] }[] = [];
  const yes = distinct.map(() => 0n);
  const unknown = distinct.map(() => 0n);
  const bySignature = new Map<string, number>();
  for (const { value, tag } of candidates) {
    const at = key === 'port' ? portOf(value, port) : port;
    const request = requestOf(new Map([[key, value]]), { ...ANYWHERE, port: at });
    const facts = new Map<MeshConfig, Facts>();
    const truths = distinct.map(({ atom, meshConfig }) => {
      const seen = facts.get(meshConfig) ?? factsOf(request, meshConfig, true, request.token);
      facts.set(meshConfig, seen);
      return atom.truth(seen, request);
    });
    const signature = `${tag ?? ''} ${truths.join(',')}`;
    const known = bySignature.get(signature);
    if (known !== undefined) {
      classes[known]?.values.push(value);
      continue;
    }
    const bit = 1n << BigInt(classes.length);
    bySignature.set(signature, classes.length);
    classes.push({ value, values: [value] });
    for (const [at, truth] of truths.entries()) {
      if (truth === true) yes[at] = (yes[at] ?? 0n) | bit;
      else if (truth === 'unknown') unknown[at] = (unknown[at] ?? 0n) | bit;
    }
  }
  return {
    key,
    atoms: distinct.map(({ atom }) => atom),
    classes,
    all: (1n << BigInt(classes.length)) - 1n,
    complete,
    truths: (atom) => {
      const at = numbers.get(atom) ?? -1;
      return { yes: yes[at] ?? 0n, unknown: unknown[at] ?? 0n };
    },
  };
}

function portOf(value: Value, otherwise: Port): Port {
  return parsePort(Number(value?.[0])) ?? otherwise;
}
