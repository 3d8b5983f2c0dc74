import type { PathNormalization } from '../../mesh/model/mesh-config.ts';
import { normalizedPath } from '../evaluate/path.ts';
import type { Domain } from './representatives.ts';

function ofCharacters(allowed: RegExp, empty: boolean): Domain {
  return {
    start: '',
    step: (_, character) => (allowed.test(character) ? 'some' : undefined),
    accepts: (state) => empty || state !== '',
  };
}

/** RFC 9110, section 5.6.2, in capitals as methods are. */
export const METHODS: Domain = ofCharacters(/^[A-Za-z0-9!#$%&'*+.^_`|~-]$/, false);
/** A Host header: a name or an address, perhaps with a port. */
export const HOSTS: Domain = ofCharacters(/^[A-Za-z0-9._:[\]*-]$/, false);
/** A header line; it may be empty. */
export const LINES: Domain = ofCharacters(/^[\x20-\x7e]$/, true);
/** Claims, audiences, server names. */
export const WORDS: Domain = ofCharacters(/^[\x21-\x7e]$/, false);

/** What a path may be once it is normalised in each of these modes: those texts that stay as they are. */
export function pathsIn(modes: readonly PathNormalization[]): Domain {
  const strict = modes.some((mode) => mode !== 'NONE');
  const merging = modes.some((mode) => mode === 'MERGE_SLASHES' || mode === 'DECODE_AND_MERGE_SLASHES');
  const same = (path: string): boolean => modes.every((mode) => normalizedPath(path, mode) === path);
  return {
    start: 'before',
    // The state is how the last segment begins, as far as that decides whether it goes away.
    step: (state, character) => {
      if (state === 'before') return character === '/' ? 'empty' : undefined;
      if (character === '/') {
        if (strict && (state === 'dot' || state === 'dots')) return undefined;
        return merging && state === 'empty' ? undefined : 'empty';
      }
      if (character !== '%' && !same(`/a${character}a`)) return undefined;
      if (character !== '.') return 'text';
      return state === 'empty' ? 'dot' : state === 'dot' ? 'dots' : 'text';
    },
    accepts: (state, text) => state !== 'before' && same(text),
  };
}

/**
 * SPIFFE IDs without their scheme: `TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, as this mesh and Istio have them, and
 * `TRUST-DOMAIN/NAME` for the others.
 */
export const IDENTITIES: Domain = Object.freeze({
  start: '0:',
  step: (state: string, character: string): string | undefined => {
    const colon = state.indexOf(':');
    const [segment, so] = [Number(state.slice(0, colon)), state.slice(colon + 1)];
    if (character === '/') {
      if (so === '' || so === '.' || so === '..') return undefined;
      if (segment === 4 || (segment === 1 && so !== 'ns') || (segment === 3 && so !== 'sa')) return undefined;
      return `${segment + 1}:`;
    }
    if (!(segment === 0 ? /^[a-z0-9._-]$/ : /^[A-Za-z0-9._-]$/).test(character)) return undefined;
    // Of fixed segments all is remembered that can still be right; of others only whether they are dots.
    const text = so + character;
    if (segment === 1) return `1:${'ns'.startsWith(text) ? text : 'x'}`;
    if (segment === 3) return 'sa'.startsWith(text) ? `3:${text}` : undefined;
    return `${segment}:${text === '.' || text === '..' ? text : 'x'}`;
  },
  wanted: (state: string): readonly string[] => {
    const [segment, so] = [state.charAt(0), state.slice(2)];
    const fixed = segment === '1' ? 'ns' : segment === '3' ? 'sa' : '';
    return fixed.length > so.length && fixed.startsWith(so) ? [fixed.charAt(so.length)] : [];
  },
  accepts: (state: string): boolean => {
    const [segment, so] = [state.charAt(0), state.slice(2)];
    return so !== '' && so !== '.' && so !== '..' && ((segment === '1' && so === 'x') || segment === '4');
  },
});
