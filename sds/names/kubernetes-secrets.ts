import type { Logger } from 'pino';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { EncodedSecret } from '../secret/secret.ts';
import type { Lookup, SecretSource } from '../secret/store.ts';
import { FollowedSecrets } from './followed.ts';
import { authoritiesFrom, keyPairFrom } from './key-pair.ts';
import { type KubernetesName, parseKubernetesName } from './kubernetes-names.ts';

/** The data of one Secret: decoded texts by key. */
export type SecretData = ReadonlyMap<string, string>;

/** Where Kubernetes Secrets come from: a folder of YAML, or an API server. */
export interface SecretProvider {
  /** `pending`: it is not known yet whether it is there. */
  get(namespace: string, name: string): SecretData | 'pending' | undefined;
  /** Whether gateways of a namespace may read a Secret of another: its owner must have said so. */
  granted(gateways: string, namespace: string, name: string): boolean;
  /** Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void;
}

export interface KubernetesSecretsOptions {
  readonly provider: SecretProvider;
  /** The gateway's namespace: it gets the Secrets of this one, and those of others that are granted to it. */
  readonly namespace: string;
  readonly log: Logger;
}

const MOST_NAMES = 1000;

/**
 * `kubernetes://…` for one gateway. A Secret that is removed, or broken, leaves the last good one in force, as in Istio; one that is no longer
 * granted is gone at once.
 */
export class KubernetesSecrets implements SecretSource {
  readonly #options: KubernetesSecretsOptions;
  readonly #followed = new FollowedSecrets();
  readonly #names = new Map<string, KubernetesName>();
  readonly #complaints = new Map<string, string>();
  /** From which Secrets each name could be served at the last look. */
  readonly #readable = new Map<string, string>();
  readonly #end: () => void;

  constructor(options: KubernetesSecretsOptions) {
    this.#options = options;
    this.#end = options.provider.onChange(() => {
      for (const [name, parsed] of this.#names) this.#look(name, parsed);
    });
  }

  lookup(name: string): Lookup | undefined {
    const parsed = parseKubernetesName(name, this.#options.namespace);
    if (parsed === undefined) return undefined;
    if (!parsed.ok) return { kind: 'absent' };
    if (!this.#names.has(name)) {
      if (this.#names.size >= MOST_NAMES) return { kind: 'absent' };
      this.#names.set(name, parsed.value);
      this.#look(name, parsed.value);
    }
    return this.#secretsOf(parsed.value).length === 0 ? { kind: 'absent' } : this.#followed.lookup(name);
  }

  onChange(listener: () => void): () => void {
    return this.#followed.onChange(listener);
  }

  close(): void {
    this.#end();
  }

  /** The Secrets that a name means, of those that the gateway may read; the first that is there counts. */
  #secretsOf({ namespace, name, authorities }: KubernetesName): readonly string[] {
    const { provider, namespace: own } = this.#options;
    const meant = authorities ? [`${name}-cacert`, name] : [name];
    return namespace === own ? meant : meant.filter((one) => provider.granted(own, namespace, one));
  }

  #look(name: string, wanted: KubernetesName): void {
    const { provider, log } = this.#options;
    const { namespace, authorities } = wanted;
    const secrets = this.#secretsOf(wanted);
    const readable = secrets.join(' ');
    // What was read by a grant does not outlive it as the last good one.
    if (this.#readable.get(name) !== readable) this.#followed.forget(name);
    this.#readable.set(name, readable);
    if (secrets.length === 0) {
      this.#complaints.delete(name);
      return;
    }
    const data = secrets.map((one) => provider.get(namespace, one)).find((one) => one !== undefined);
    // The second choice must not serve until the first is known not to be there.
    if (data === 'pending') return;
    const secret: Parsed<EncodedSecret> =
      data === undefined ? { ok: false, reason: 'there is no such Secret' } : secretOf(name, data, authorities);
    const reason = secret.ok ? '' : secret.reason;
    if (!secret.ok && this.#complaints.get(name) !== reason)
      log.error({ name, reason }, 'a Kubernetes Secret cannot be used; the last good one, if any, stays');
    this.#complaints.set(name, reason);
    if (secret.ok) this.#followed.put(secret.value);
  }
}

/** Istio's keys of a Secret: those of kubernetes.io/tls, and those of a generic one. */
function secretOf(name: string, data: SecretData, authorities: boolean): Parsed<EncodedSecret> {
  if (authorities) {
    const roots = data.get('ca.crt') ?? data.get('cacert');
    return roots === undefined
      ? missing('ca.crt or cacert')
      : authoritiesFrom(name, roots, data.get('ca.crl') ?? data.get('crl'));
  }
  const [certificate, key] = [data.get('tls.crt') ?? data.get('cert'), data.get('tls.key') ?? data.get('key')];
  return certificate === undefined || key === undefined
    ? missing('tls.crt and tls.key, or cert and key')
    : keyPairFrom(name, certificate, key);
}

const missing = (keys: string): Parsed<EncodedSecret> => ({ ok: false, reason: `it has no ${keys}` });
