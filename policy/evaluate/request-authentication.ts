import type { RequestAuthentication, TokenHeader } from '../../mesh/model/request-authentication.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type ApplyingRule, jwtRulesFor, listClaims } from '../request-authentication/applying.ts';
import type { SelectedWorkload } from '../select.ts';
import type { Request, Token } from './request.ts';

/** What became of the tokens that a request carries. */
export type TokenStep =
  | {
      readonly kind: 'passed';
      readonly token: Token | undefined;
      readonly why: string;
      /** Where the token was taken out of the request, by a rule that does not pass it on. */
      readonly takenFrom?: readonly TokenHeader[];
      /** Said where a token is believed that no proxy would verify. */
      readonly unasked?: string;
    }
  /** `by` is `namespace/name` of the RequestAuthentication. */
  | { readonly kind: 'refused'; readonly by: string | undefined; readonly why: string };

export type Authenticate = (request: Request) => TokenStep;

/** Verifies tokens as a workload's RequestAuthentications ask. One that a request states is taken for rightly signed and in date. */
export function requestAuthentication(snapshot: Snapshot, workload: SelectedWorkload): Authenticate {
  const rules = jwtRulesFor(snapshot, workload);
  if (rules.length === 0) return unasked;
  const required = rules.filter(({ rule }) => rule.required);
  return (request) => {
    if (isPreflight(request)) return PREFLIGHT;
    const { token } = request;
    return unmet(required, token) ?? (token === undefined ? NO_TOKEN : verified(rules, token));
  };
}

/** Each required rule by itself, in order, before the token of any rule is looked for. */
function unmet(required: readonly ApplyingRule[], token: Token | undefined): TokenStep | undefined {
  for (const one of required) {
    const before = takerBefore(required, one);
    // Where it was there to be taken, the rule before has found it.
    if (before !== undefined) return tookIt(before, one);
    if (token === undefined || !isOf(one.rule, token)) return lack(one);
    if (!isFor(one.rule, token)) return forOthers(one, token);
  }
  return undefined;
}

/** The required rule that takes out of the request the token that a later one would look for in the same place. */
export function takerBefore(required: readonly ApplyingRule[], one: ApplyingRule): ApplyingRule | undefined {
  return required.slice(0, required.indexOf(one)).find(({ rule }) => !rule.forwardOriginalToken && lookAlike(rule, one.rule));
}

/** Both look in one place. */
function lookAlike(one: Rule, other: Rule): boolean {
  const headers = headersOf(other);
  return (
    headersOf(one).some(({ name, prefix }) => headers.some((header) => header.name === name && header.prefix === prefix)) ||
    one.fromParams.some((name) => other.fromParams.includes(name)) ||
    one.fromCookies.some((name) => other.fromCookies.includes(name))
  );
}

/** A browser's question before a request carries no token, and nobody looks for one (Fetch standard, section "CORS protocol"). */
function isPreflight({ http: { method, headers } }: Request): boolean {
  return method === 'OPTIONS' && PREFLIGHT_HEADERS.every((name) => (headers.get(name)?.join('') ?? '') !== '');
}

const PREFLIGHT_HEADERS = Object.freeze(['origin', 'access-control-request-method']);

const PREFLIGHT: TokenStep = Object.freeze({
  kind: 'passed',
  token: undefined,
  why: 'it is a CORS preflight, in which no token is looked for',
});

const UNASKED =
  'the token is taken for verified, but no RequestAuthentication applies to the workload: without one its proxy verifies no token';

const NO_TOKEN: TokenStep = Object.freeze({ kind: 'passed', token: undefined, why: 'no token' });

function unasked({ token }: Request): TokenStep {
  if (token === undefined) return NO_TOKEN;
  return { kind: 'passed', token, why: 'the token is taken for verified', unasked: UNASKED };
}

type Rule = ApplyingRule['rule'];

/** As Envoy compares them: without `http://` or `https://` in front and without a slash at the end. */
function audience(written: string): string {
  return written.replace(/^https?:\/\//, '').replace(/\/$/, '');
}

function isOf({ issuer }: Rule, token: Token): boolean {
  return issuer === undefined || issuer === token.issuer;
}

function isFor({ audiences }: Rule, token: Token): boolean {
  if (audiences.length === 0) return true;
  const own = new Set(token.audiences.map(audience));
  return audiences.some((one) => own.has(audience(one)));
}

function accepts(rule: Rule, token: Token): boolean {
  return isOf(rule, token) && isFor(rule, token);
}

function verified(rules: readonly ApplyingRule[], token: Token): TokenStep {
  const accepting = rules.find(({ rule }) => accepts(rule, token));
  if (accepting !== undefined) {
    return {
      kind: 'passed',
      token: { ...token, claims: asLists(token.claims, listClaims(accepting.rule)) },
      takenFrom: accepting.rule.forwardOriginalToken ? [] : headersOf(accepting.rule),
      why: `the token is one of those that RequestAuthentication ${keyOf(accepting.of.meta)} accepts`,
    };
  }
  const { issuer } = token;
  const said = issuer === undefined ? 'no issuer' : `the issuer ${JSON.stringify(issuer)}`;
  const known = rules.find(({ rule }) => isOf(rule, token));
  if (known !== undefined) {
    return forOthers(known, token);
  }
  const objects = [...new Set(rules.map(({ of }) => of))];
  const issuers = [...new Set(rules.flatMap(({ rule }) => rule.issuer ?? []))];
  return {
    kind: 'refused',
    by: objects[0] && keyOf(objects[0].meta),
    why: `401: the token has ${said}, and ${named(objects)} only ${objects.length > 1 ? 'take' : 'takes'} tokens of ${issuers.join(', ')}`,
  };
}

function named(objects: readonly RequestAuthentication[]): string {
  return `RequestAuthentication${objects.length > 1 ? 's' : ''} ${objects.map(({ meta }) => keyOf(meta)).join(', ')}`;
}

/** The headers in which a rule looks for tokens. */
function headersOf({ fromHeaders, fromParams, fromCookies }: Rule): readonly TokenHeader[] {
  const nothingSaid = fromHeaders.length + fromParams.length + fromCookies.length === 0;
  return nothingSaid ? [{ name: 'authorization', prefix: 'Bearer ' }] : fromHeaders;
}

function lack({ of, rule }: ApplyingRule): TokenStep {
  const whose = rule.issuer === undefined ? 'a token' : `a token of ${rule.issuer}`;
  const why = `401: RequestAuthentication ${keyOf(of.meta)} asks for ${whose} (presence: REQUIRED), and the request has none`;
  return { kind: 'refused', by: keyOf(of.meta), why };
}

function tookIt(before: ApplyingRule, { of }: ApplyingRule): TokenStep {
  const why = `401: RequestAuthentication ${keyOf(of.meta)} asks for a token (presence: REQUIRED), and ${keyOf(before.of.meta)} took it out of the request before (forwardOriginalToken would leave it)`;
  return { kind: 'refused', by: keyOf(of.meta), why };
}

/** The issuer is right, the audience is not. */
function forOthers({ of, rule }: ApplyingRule, { audiences }: Token): TokenStep {
  const found = audiences.length === 0 ? 'none' : audiences.join(', ');
  const why = `403: RequestAuthentication ${keyOf(of.meta)} takes tokens for ${rule.audiences.join(', ')}, and the audiences of this one are: ${found}`;
  return { kind: 'refused', by: keyOf(of.meta), why };
}

/** Claims that are lists of words in one text become lists. */
function asLists(claims: Token['claims'], names: readonly string[]): Token['claims'] {
  const split = names.flatMap((name): readonly (readonly [string, unknown])[] => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return typeof value === 'string' ? [[name, value.split(' ')]] : [];
  });
  return split.length === 0 ? claims : { ...claims, ...Object.fromEntries(split) };
}
