import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { finding, quoted, some } from './finding.ts';
import { type List, listsOf } from './fields.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import type { Survey } from './survey.ts';

interface Principal {
  readonly domain: string;
  readonly namespace: string;
  readonly account: string | undefined;
}

/** `DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, with the account left to a `*` perhaps. */
export function parsePrincipal(value: string): Principal | undefined {
  const [, domain = '', namespace = '', account = ''] =
    /^(?:spiffe:\/\/)?([^/]+)\/ns\/([^/*]+)\/(?:sa\/([^/*]+)|sa\/\*|\*)$/.exec(value) ?? [];
  return domain === '' ? undefined : { domain, namespace, account: account === '' ? undefined : account };
}

type Problem = readonly [code: string, message: string, hint: string];

/** In a policy this name stands for the mesh's own trust domain, whatever that is called. */
const LOCAL = 'cluster.local';

/** Whom the values of identity lists can mean in this mesh. */
class Identities {
  readonly #survey: Survey;
  readonly #own: ReadonlySet<string>;
  readonly #federated: ReadonlySet<string>;
  readonly #accountsIn = remembered((workloads: readonly Workload[]): string =>
    some([...new Set(workloads.map(({ serviceAccount }) => serviceAccount))].sort(), 6),
  );
  #namespaceNames: string | undefined;

  constructor(survey: Survey) {
    const { trustDomain, trustDomainAliases, federatedTrustDomains } = survey.snapshot.meshConfig;
    this.#survey = survey;
    this.#own = new Set([LOCAL, trustDomain, ...trustDomainAliases]);
    this.#federated = new Set(federatedTrustDomains ?? []);
  }

  principal(value: string): Problem | undefined {
    if (value === '*' || value.startsWith('*')) return undefined;
    const plain = withoutScheme(value);
    const domain = plain.slice(0, Math.max(0, plain.indexOf('/')));
    if (domain === '') return plain.endsWith('*') ? undefined : this.#noPrincipal(plain);
    if (domain.includes('*')) return undefined;
    if (!this.#own.has(domain)) return this.#foreign(domain, plain);
    const found = parsePrincipal(plain);
    if (found === undefined) {
      return plain.endsWith('*') && 'ns/'.startsWith(plain.slice(domain.length + 1, -1).slice(0, 3))
        ? undefined
        : ['no-principal', `${quoted(value)} is no workload's identity`, `write ${quoted(`${domain}/ns/NAMESPACE/sa/ACCOUNT`)}`];
    }
    return this.#account(found.namespace, found.account);
  }

  /** A namespace's or an account's name alone. */
  #noPrincipal(value: string): Problem {
    const message = `${quoted(value)} is no principal`;
    if (this.#survey.namespaces.has(value))
      return ['no-principal', message, `for the namespace write namespaces: [${quoted(value)}]`];
    const account = [...this.#survey.accounts].find((name) => name.endsWith(`/${value}`));
    const [namespace = 'NAMESPACE', name = 'ACCOUNT'] = account?.split('/') ?? [];
    return ['no-principal', message, `write ${quoted(`cluster.local/ns/${namespace}/sa/${name}`)}`];
  }

  #foreign(domain: string, value: string): Problem | undefined {
    if (this.#federated.has(domain)) return undefined;
    const own = [...this.#own].filter((name) => name !== LOCAL);
    return [
      'unknown-trust-domain',
      `${quoted(value)}: this mesh is ${some(own)}, and proxies refuse the certificates of ${quoted(domain)}`,
      `write ${quoted(`${LOCAL}/...`)} for this mesh, add the domain to trustDomainAliases, or federate with it`,
    ];
  }

  trustDomain(value: string): Problem | undefined {
    if (value.includes('*') || this.#own.has(value)) return undefined;
    return this.#foreign(value, value);
  }

  namespace(value: string): Problem | undefined {
    if (value === '*') return undefined;
    if (value.includes('/')) {
      return [
        'no-namespace-name',
        `${quoted(value)} is no namespace's name`,
        parsePrincipal(value) === undefined ? 'write the name alone' : `for a principal write principals: [${quoted(value)}]`,
      ];
    }
    const survey = this.#survey;
    const test = value.startsWith('*')
      ? (name: string) => name.endsWith(value.slice(1))
      : value.endsWith('*')
        ? (name: string) => name.startsWith(value.slice(0, -1))
        : (name: string) => name === value;
    if (this.#isOpen() || [...survey.namespaces].some(test) || test(survey.snapshot.meshConfig.rootNamespace)) return undefined;
    return ['unknown-namespace', `no namespace in this input is called ${quoted(value)}`, `its namespaces are ${this.#known()}`];
  }

  account(value: string, policy: AuthorizationPolicy): Problem | undefined {
    const slash = value.indexOf('/');
    return slash < 0 ? this.#account(policy.meta.namespace, value) : this.#account(value.slice(0, slash), value.slice(slash + 1));
  }

  #known(): string {
    this.#namespaceNames ??= some([...this.#survey.namespaces].sort(), 6);
    return this.#namespaceNames;
  }

  /** Nothing is known to be missing from a fragment. */
  #isOpen(): boolean {
    return this.#survey.isFragment && this.#survey.snapshot.namespaces.length === 0;
  }

  #account(namespace: string, account: string | undefined): Problem | undefined {
    const survey = this.#survey;
    if (survey.isFragment || this.#isOpen()) return undefined;
    const there = survey.workloadsIn(namespace);
    if (there.length === 0) {
      // What Istio itself runs, and namespaces that are declared here and filled elsewhere.
      if (survey.namespaces.has(namespace) || namespace === survey.snapshot.meshConfig.rootNamespace) return undefined;
      return [
        'unknown-account',
        `no workload in this input runs in namespace ${quoted(namespace)}`,
        `its namespaces are ${this.#known()}`,
      ];
    }
    if (account === undefined || survey.accounts.has(`${namespace}/${account}`)) return undefined;
    return [
      'unknown-account',
      `no workload of namespace ${namespace} runs as ${quoted(account)}`,
      `its workloads run as ${this.#accountsIn(there)}`,
    ];
  }
}

function problemOf(identities: Identities, list: List, value: string, policy: AuthorizationPolicy): Problem | undefined {
  switch (list.attribute) {
    case 'principals':
      return identities.principal(value);
    case 'namespaces':
      return identities.namespace(value);
    case 'trustDomains':
      return identities.trustDomain(value);
    case 'serviceAccounts':
      return identities.account(value, policy);
    default:
      return undefined;
  }
}

/** Callers that do not exist, or cannot. */
export function unknownCallers(survey: Survey): readonly Diagnostic[] {
  const identities = new Identities(survey);
  return survey.policies.flatMap((policy) =>
    listsOf(policy).flatMap((list) =>
      list.values.flatMap((value, at) => {
        const problem = problemOf(identities, list, value, policy);
        if (problem === undefined) return [];
        const [code, message, hint] = problem;
        const effect = list.negated ? 'it excludes nobody' : 'it matches nobody';
        return [finding(policy.meta, `${list.path}[${at}]`, 'warning', code, `${message}; ${effect}`, hint)];
      }),
    ),
  );
}
