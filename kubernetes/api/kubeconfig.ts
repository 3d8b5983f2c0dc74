import type { RequestOptions } from 'node:https';
import { type Access, AccessError } from './access.ts';

export interface KubeconfigWish {
  /** A path; undefined: $KUBECONFIG, or ~/.kube/config. */
  readonly file?: string | undefined;
  /** Undefined: the file's current one. */
  readonly context?: string | undefined;
}

/** A cluster by kubeconfig: certificates, tokens, exec plug-ins and proxies as kubectl takes them. */
export async function fromKubeconfig({ file, context }: KubeconfigWish): Promise<Access> {
  // Loaded only here: the library takes 88 MB and half a second.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  try {
    if (file === undefined) config.loadFromDefault();
    else config.loadFromFile(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AccessError(`the kubeconfig${file === undefined ? '' : ` ${file}`} cannot be read: ${reason}`, { cause });
  }
  if (context !== undefined) {
    const known = config.getContexts().map(({ name }) => name);
    if (!known.includes(context))
      throw new AccessError(`the kubeconfig has no context "${context}"; it has ${known.join(', ') || 'none'}`);
    config.setCurrentContext(context);
  }
  const name = config.getCurrentContext();
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw new AccessError(`the kubeconfig says no cluster${name === '' ? '' : ` for its context "${name}"`}; give --kubeconfig`);
  return {
    server: cluster.server.replace(/\/+$/, ''),
    name,
    namespace: config.getContextObject(name)?.namespace ?? 'default',
    credentials: async () => {
      const options: RequestOptions = { headers: {} };
      await config.applyToHTTPSOptions(options);
      return credentialsOf(options, cluster.proxyUrl !== undefined || proxied(cluster.server));
    },
  };
}

function credentialsOf(options: RequestOptions, throughProxy: boolean): Awaited<ReturnType<Access['credentials']>> {
  const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized, headers, auth, agent } = options;
  const basic = typeof auth === 'string' ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {};
  return {
    tls: {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(pfx !== undefined && { pfx }),
      ...(passphrase !== undefined && { passphrase }),
      ...(servername !== undefined && { servername }),
      ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    },
    headers: { ...basic, ...textHeaders(headers) },
    ...(throughProxy && typeof agent === 'object' && { agent }),
  };
}

function proxied(server: string): boolean {
  const scheme = server.startsWith('https:') ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy'];
  return scheme.some((name) => (process.env[name] ?? '') !== '');
}

function textHeaders(headers: RequestOptions['headers']): Record<string, string> {
  if (headers === undefined || Array.isArray(headers)) return {};
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name.toLowerCase(), String(value)]])),
  );
}
