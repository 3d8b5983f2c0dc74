import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { type SpiffeId, workloadOf } from '../identity/spiffe-id.ts';
import { type DnsName, parseDnsName } from './dns-name.ts';

/** Who may have which DNS names in its certificates, besides its SPIFFE ID. */
export interface DnsRule {
  /** `*` is any. */
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly names: readonly NamePattern[];
}

/** A name, with `{namespace}` and `{account}` for the identity's own; or one label before it where `anyLabel` is set. */
interface NamePattern {
  readonly anyLabel: boolean;
  readonly text: string;
}

/** Whether an identity may have a DNS name. */
export type MayHaveName = (id: SpiffeId, name: DnsName) => boolean;

/** Without rules nobody may have any. */
export const noDnsNames: MayHaveName = () => false;

const ANY = '*';
const PART = /^(\*|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)$/;
const LABEL = /^[^.]+$/;

const filledIn = (text: string, namespace: string, account: string): string =>
  text.replaceAll('{namespace}', namespace).replaceAll('{account}', account);

/** `NAMESPACE/ACCOUNT=NAME[,NAME…]`, as `--allow-dns-san` takes it. */
export function parseDnsRule(text: string): Parsed<DnsRule> {
  const [identity = '', list = '', ...more] = text.split('=');
  const [namespace = '', serviceAccount = '', ...rest] = identity.split('/');
  if (list === '' || more.length > 0 || rest.length > 0 || !PART.test(namespace) || !PART.test(serviceAccount))
    return refused('write NAMESPACE/ACCOUNT=NAME[,NAME]; * stands for any namespace or account');
  const names: NamePattern[] = [];
  for (const name of list.split(',')) {
    const anyLabel = name.startsWith('*.');
    const pattern = anyLabel ? name.slice(2) : name;
    // A whole domain such as `*.com` for any account is hardly ever meant.
    const known = parseDnsName(filledIn(pattern, 'n', 'a'));
    if (!known.ok || (anyLabel && !pattern.includes('.')))
      return refused(`${name} is neither a DNS name nor *.DOMAIN with two labels; {namespace} and {account} may stand in both`);
    names.push(Object.freeze({ anyLabel, text: pattern }));
  }
  return parsed(Object.freeze({ namespace, serviceAccount, names: Object.freeze(names) }));
}

export function dnsNamesBy(rules: readonly DnsRule[]): MayHaveName {
  return (id, name) => {
    const workload = workloadOf(id);
    if (workload === undefined) return false;
    const { namespace, serviceAccount } = workload;
    return rules.some(
      (rule) =>
        (rule.namespace === ANY || rule.namespace === namespace) &&
        (rule.serviceAccount === ANY || rule.serviceAccount === serviceAccount) &&
        rule.names.some(({ anyLabel, text }) => {
          const expected = filledIn(text, namespace, serviceAccount);
          if (!anyLabel) return name === expected;
          return name.endsWith(`.${expected}`) && LABEL.test(name.slice(0, -expected.length - 1));
        }),
    );
  };
}
