import type { JwtRule } from '../../model/request-authentication.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { flag, oneOf, optionalText, requiredText, texts } from '../scalar.ts';
import { outputHeader, tokenCookies, tokenHeaders, tokenParams } from './places.ts';
import { keySource } from './keys.ts';

/** As the CRD has it. */
const MOST_CLAIMS = 64;

const FIELDS = [
  'issuer',
  'audiences',
  'jwksUri',
  'jwks_uri',
  'jwks',
  'fromHeaders',
  'fromParams',
  'fromCookies',
  'outputPayloadToHeader',
  'forwardOriginalToken',
  'outputClaimToHeaders',
  'timeout',
  'spaceDelimitedClaims',
  'presence',
] as const;

/** Reads one of `jwtRules`. */
export function jwtRule(field: Field): JwtRule {
  const fields = fieldsOf(field, FIELDS);
  if (fields.issuer.given) requiredText(fields.issuer, 'as issuer: https://accounts.example.com');
  const issuer = fields.issuer.given ? optionalText(fields.issuer) : undefined;
  const claims = texts(fields.spaceDelimitedClaims);
  if (claims.length > MOST_CLAIMS)
    fields.spaceDelimitedClaims.error('out-of-range', `has more than ${MOST_CLAIMS} claims`, 'name fewer');
  return {
    issuer,
    audiences: texts(fields.audiences),
    keys: keySource(field, fields, issuer),
    fromHeaders: tokenHeaders(fields.fromHeaders),
    fromParams: tokenParams(fields.fromParams),
    fromCookies: tokenCookies(fields.fromCookies),
    forwardOriginalToken: flag(fields.forwardOriginalToken) ?? false,
    outputPayloadToHeader: optionalText(fields.outputPayloadToHeader) && outputHeader(fields.outputPayloadToHeader),
    outputClaimToHeaders: itemsOf(fields.outputClaimToHeaders).map(claimToHeader),
    spaceDelimitedClaims: claims,
    required: oneOf(fields.presence, ['OPTIONAL', 'REQUIRED']) === 'REQUIRED',
  };
}

function claimToHeader(item: Field): { readonly claim: string; readonly header: string } {
  const fields = fieldsOf(item, ['header', 'claim']);
  if (!item.given) return { claim: '', header: '' };
  const claim = requiredText(fields.claim, 'as claim: sub, or nested as realm_access.name');
  if (claim.split('.').includes(''))
    fields.claim.error(
      'unknown-value',
      `"${shorten(claim)}" has an empty name in it`,
      'separate the names of nested claims by one dot',
    );
  return { claim, header: outputHeader(fields.header) };
}
