import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import { parseMatch, textOf } from './value.ts';
import { type SourceLeaf, type Tree, all, any, leaf } from './test.ts';

// What a token says is read from the metadata that jwt_authn writes after it verified the token; without that filter or
// without a token there is none, and nothing matches.

function claim(path: readonly string[], value: PolicyMatch, list: boolean): Tree<SourceLeaf> {
  return leaf({ test: 'claim', path, list, text: textOf(value) });
}

/** A claim, nested by `path`, that is one of these texts or a list that holds one of them. */
export function claimIsOneOf(path: readonly string[], values: readonly PolicyMatch[]): Tree<SourceLeaf> {
  return any(values.map((value) => claim(path, value, true)));
}

/** A claim that is one text. */
export function claimEquals(path: readonly string[], values: readonly PolicyMatch[]): Tree<SourceLeaf> {
  return any(values.map((value) => claim(path, value, false)));
}

/** Splits `ISSUER/SUBJECT` at the last slash; the wildcard belongs to the side on which it is written. */
function issuerAndSubject(value: PolicyMatch): readonly [PolicyMatch, PolicyMatch] {
  if (value.kind === 'present') return [value, value];
  const slash = value.value.lastIndexOf('/');
  const left = value.value.slice(0, Math.max(slash, 0));
  const right = value.value.slice(slash + 1);
  if (value.kind === 'prefix') {
    if (slash < 0) return [value, { kind: 'present' }];
    return [{ kind: 'exact', value: left }, parseMatch(`${right}*`)];
  }
  if (value.kind === 'suffix') {
    if (slash < 0) return [{ kind: 'present' }, value];
    return [parseMatch(`*${left}`), { kind: 'exact', value: right }];
  }
  // Without a slash Istio asks for that issuer and an empty subject, which no token has.
  if (slash < 0)
    return [
      { kind: 'exact', value: value.value },
      { kind: 'exact', value: '' },
    ];
  return [
    { kind: 'exact', value: left },
    { kind: 'exact', value: right },
  ];
}

/** The token's principal, `ISSUER/SUBJECT`. */
export function requestPrincipals(values: readonly PolicyMatch[]): Tree<SourceLeaf> {
  return any(
    values.map((value) => {
      const [issuer, subject] = issuerAndSubject(value);
      return all([claim(['iss'], issuer, false), claim(['sub'], subject, false)]);
    }),
  );
}

/** The path of `[a][b]`; undefined when it is not of that form. */
export function claimPath(text: string): readonly string[] | undefined {
  if (!text.startsWith('[') || !text.endsWith(']')) return undefined;
  const path = text.slice(1, -1).split('][');
  return path.every((name) => name !== '') ? path : undefined;
}
