import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { valueOf } from '../evaluate/text.ts';
import { representativeAddresses } from './addresses.ts';
import type { Atom } from './atom.ts';
import type { Candidate } from './dimension.ts';
import { HOSTS, IDENTITIES, LINES, METHODS, WORDS, pathsIn } from './domain.ts';
import { type Domain, representatives } from './representatives.ts';
import { ofOwnDomain, ofText } from './value-language.ts';
import type { DimensionKey, Value } from './values.ts';

export interface Candidates {
  readonly candidates: readonly Candidate[];
  readonly complete: boolean;
}

/** The usual ones come first, so that they stand for their kind. */
const USUAL_METHODS = Object.freeze(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);
/** Of more values than this, only pairs of none are thought of. */
const MOST_PAIRED = 24;

function texts(atoms: readonly Atom[], domain: Domain, usual: readonly string[] = []): Candidates {
  const found = representatives(
    atoms.flatMap(({ languages }) => languages),
    domain,
  );
  return { candidates: [...usual, ...found.texts].map((text) => ({ value: [text] })), complete: found.complete };
}

/** A header may have several lines and a claim several values, of which each may match something else. */
function lists(atoms: readonly Atom[], domain: Domain): Candidates {
  const { texts: single, complete } = representatives(
    atoms.flatMap(({ languages }) => languages),
    domain,
  );
  const pairs = single.length > MOST_PAIRED ? [] : single.flatMap((one, at) => single.slice(at + 1).map((other) => [one, other]));
  const values: readonly Value[] = [undefined, ...single.map((one) => [one]), ...pairs, single];
  return { candidates: values.map((value) => ({ value })), complete: complete && single.length <= MOST_PAIRED };
}

/** Issuers and subjects, each as the values have them before and after their last slash. */
function tokens(atoms: readonly Atom[]): Candidates {
  const issuers: string[] = [];
  const subjects: string[] = [];
  for (const { field, text } of atoms) {
    const slash = text.lastIndexOf('/');
    if (field.startsWith('request.auth.claims[')) (field.endsWith('[iss]') ? issuers : subjects).push(text);
    else if (slash >= 0) {
      issuers.push(text.slice(0, slash));
      subjects.push(text.slice(slash + 1));
    } else {
      issuers.push(text);
      subjects.push(text);
    }
  }
  const found = (values: readonly string[]): ReturnType<typeof representatives> =>
    representatives(
      values.flatMap((value) => ofText(valueOf(value))),
      WORDS,
    );
  const [issuer, subject] = [found(issuers), found(subjects)];
  const pairs = issuer.texts.flatMap((one) => subject.texts.map((other): Value => [one, other]));
  return {
    candidates: [undefined, ...pairs].map((value) => ({ value })),
    complete: issuer.complete && subject.complete,
  };
}

/** Values of a dimension other than callers and ports: at least one of each kind that the atoms tell apart. */
export function candidatesFor(
  key: DimensionKey,
  atoms: readonly Atom[],
  meshConfigs: readonly MeshConfig[],
  hosts: readonly string[],
): Candidates {
  switch (key) {
    case 'method':
      return texts(atoms, METHODS, USUAL_METHODS);
    case 'host':
      return texts(atoms, HOSTS, hosts);
    case 'path':
      return texts(atoms, pathsIn(meshConfigs.map(({ pathNormalization }) => pathNormalization)));
    case 'source.ip':
    case 'remote.ip':
    case 'destination.ip': {
      const addresses = representativeAddresses(atoms.map(({ text }) => text));
      return { candidates: addresses.map((address) => ({ value: [address] })), complete: true };
    }
    case 'token':
      return tokens(atoms);
    case 'connection.sni':
    case 'request.auth.presenter': {
      const found = texts(atoms, WORDS);
      return { ...found, candidates: [{ value: undefined }, ...found.candidates] };
    }
    default:
      if (key.startsWith('extAuthz[')) return { candidates: [{ value: ['allow'] }, { value: ['deny'] }], complete: true };
      return lists(atoms, key.startsWith('request.headers[') ? LINES : WORDS);
  }
}

/** What kind of caller it is, apart from what policies say of it. */
export type CallerKind = 'plain-text' | 'own' | 'foreign';

export function callerKind(caller: Value, meshConfigs: readonly MeshConfig[]): CallerKind {
  const id = caller?.[0];
  if (id === undefined) return 'plain-text';
  const domain = id.slice(0, id.indexOf('/'));
  const own = meshConfigs.some(
    ({ trustDomain, trustDomainAliases }) => domain === trustDomain || trustDomainAliases.includes(domain),
  );
  return own ? 'own' : 'foreign';
}

/** Callers: those known, then one for each kind of identity that policies tell apart, then one without an identity. */
export function callers(atoms: readonly Atom[], meshConfigs: readonly MeshConfig[], known: readonly string[]): Candidates {
  const found = representatives(
    [...meshConfigs.flatMap(ofOwnDomain), ...atoms.flatMap(({ languages }) => languages)],
    IDENTITIES,
  );
  const usual = [...meshConfigs.map(({ trustDomain }) => `${trustDomain}/ns/other/sa/other`), 'other.example/ns/other/sa/other'];
  const values: readonly Value[] = [...[...known, ...usual, ...found.texts].map((id) => [id]), undefined];
  return {
    candidates: values.map((value) => ({ value, tag: callerKind(value, meshConfigs) })),
    complete: found.complete,
  };
}
