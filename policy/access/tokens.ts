import type { ApplyingRule } from '../request-authentication/applying.ts';
import type { Facts } from '../evaluate/facts.ts';
import { takerBefore } from '../evaluate/request-authentication.ts';
import type { Atom, Term } from './atom.ts';
import { text } from './language.ts';

/** True for requests that carry a token. */
export const PRESENT: Atom = Object.freeze({
  dimension: 'token',
  field: 'token',
  text: '*',
  truth: ({ token }: Facts) => token !== undefined,
  languages: [],
});

/** Tokens that one rule of a RequestAuthentication takes: all terms hold. */
export interface Acceptance {
  /** Without such a token the request is refused. */
  readonly required: boolean;
  /** A required rule before it takes its token out of the request, so that no request has one. */
  readonly unmeetable: boolean;
  readonly terms: readonly Term[];
}

function issuerAtom(issuer: string): Atom {
  return {
    dimension: 'token',
    field: 'request.auth.claims[iss]',
    text: issuer,
    truth: ({ token }) => token?.issuer === issuer,
    languages: [],
  };
}

/** As Envoy compares audiences: without `http://` or `https://` in front and without a slash at the end. */
function bare(audience: string): string {
  return audience.replace(/^https?:\/\//, '').replace(/\/$/, '');
}

function audienceAtom(audience: string): Atom {
  return {
    dimension: 'request.auth.audiences',
    field: 'audiences accepted',
    text: audience,
    truth: ({ token }) => token?.audiences.some((one) => bare(one) === bare(audience)) ?? false,
    languages: ['', 'http://', 'https://'].map((scheme) => [text(scheme + bare(audience))]),
  };
}

/** What the RequestAuthentications of a workload take; undefined where there are none, and nothing is verified. */
export function acceptanceOf(rules: readonly ApplyingRule[]): readonly Acceptance[] | undefined {
  if (rules.length === 0) return undefined;
  const required = rules.filter(({ rule }) => rule.required);
  return rules.map((one): Acceptance => {
    const { rule } = one;
    const issuer = rule.issuer === undefined ? PRESENT : issuerAtom(rule.issuer);
    const audiences = rule.audiences.map(audienceAtom);
    return {
      required: rule.required,
      unmeetable: rule.required && takerBefore(required, one) !== undefined,
      terms: [
        { dimension: 'token', values: [issuer], notValues: [] },
        ...(audiences.length === 0
          ? []
          : [{ dimension: 'request.auth.audiences', values: audiences, notValues: [] } satisfies Term]),
      ],
    };
  });
}
