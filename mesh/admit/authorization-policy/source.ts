import type { PolicyMatch, Source } from '../../model/authorization-policy.ts';
import { isAddressBlock } from '../address.ts';
import { type Field, fieldsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { condition, pattern, patternOf, type ReadItem } from './pattern.ts';

const KNOWN = [
  'principals',
  'notPrincipals',
  'requestPrincipals',
  'notRequestPrincipals',
  'namespaces',
  'notNamespaces',
  'serviceAccounts',
  'notServiceAccounts',
  'ipBlocks',
  'notIpBlocks',
  'remoteIpBlocks',
  'notRemoteIpBlocks',
  'trustDomains',
  'notTrustDomains',
] as const;

/** One entry of `from`. An entry that says nothing is an error: it would match every caller. */
export function source(entry: Field): Source {
  const field = fieldsOf(entry, ['source']).source;
  if (!field.given)
    entry.error('missing-field', 'source must be given', 'as source: {principals: ["cluster.local/ns/NAMESPACE/sa/ACCOUNT"]}');
  const fields = fieldsOf(field, KNOWN);
  if (field.given && !KNOWN.some((name) => fields[name].given) && !field.report.failed) {
    field.error(
      'missing-field',
      'source names no caller',
      'name principals, namespaces, serviceAccounts, requestPrincipals or address blocks',
    );
  }
  const accounts = [fields.serviceAccounts, fields.notServiceAccounts];
  const named = [fields.principals, fields.notPrincipals, fields.namespaces, fields.notNamespaces];
  if (accounts.some((one) => one.given) && named.some((one) => one.given)) {
    field.error(
      'contradiction',
      'Cannot set serviceAccounts with namespaces or principals',
      'a service account names both already; use two entries of from',
    );
  }
  return {
    principals: condition(fields.principals, fields.notPrincipals, pattern),
    requestPrincipals: condition(fields.requestPrincipals, fields.notRequestPrincipals, pattern),
    namespaces: condition(fields.namespaces, fields.notNamespaces, pattern),
    serviceAccounts: condition(fields.serviceAccounts, fields.notServiceAccounts, account),
    trustDomains: condition(fields.trustDomains, fields.notTrustDomains, trustDomain),
    ipBlocks: condition(fields.ipBlocks, fields.notIpBlocks, block),
    remoteIpBlocks: condition(fields.remoteIpBlocks, fields.notRemoteIpBlocks, block),
  };
}

export const account: ReadItem<PolicyMatch> = (item, written) => {
  const parts = written.split('/');
  if (written.length > 320 || parts.length > 2 || parts.includes('')) {
    item.error(
      'bad-service-account',
      `"${shorten(written)}" is no service account`,
      'write namespace/name, or a name in this namespace',
    );
    return undefined;
  }
  if (written.includes('*')) {
    item.error('bad-service-account', 'a wildcard is not allowed here', 'use namespaces or principals for patterns');
    return undefined;
  }
  return patternOf(written);
};

/** A trust domain, with a wildcard first or last; anything else would match no identity, silently. */
export const trustDomain: ReadItem<PolicyMatch> = (item, written) => {
  const value = patternOf(written);
  if (written.includes('/') || (value.kind !== 'present' && value.value.includes('*'))) {
    item.error(
      'bad-trust-domain',
      `"${shorten(written)}" is no trust domain`,
      'as example.org, without spiffe:// and path; one * may stand first or last',
    );
    return undefined;
  }
  return value;
};

export const block: ReadItem<string> = (item, written) => {
  if (isAddressBlock(written)) return written;
  item.error('bad-address', `"${shorten(written)}" is no address or CIDR block`, 'as 10.0.0.0/8 or 2001:db8::1');
  return undefined;
};
