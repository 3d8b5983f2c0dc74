import { get } from 'node:http';

/** What /debug/syncz says: the current snapshot, and which one each proxy (by pod) has acknowledged. */
export interface SyncStatus {
  readonly snapshot: number;
  readonly acknowledged: ReadonlyMap<string, number>;
  readonly rejected: ReadonlyMap<string, string>;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** `sidecar~IP~POD.NAMESPACE~DOMAIN` -> `NAMESPACE/POD`. A pod's name may have dots, a namespace none. */
function podOf(node: string): string {
  const name = node.split('~')[2] ?? '';
  const dot = name.lastIndexOf('.');
  return `${name.slice(dot + 1)}/${name.slice(0, Math.max(dot, 0))}`;
}

export function parseSyncStatus(body: string): SyncStatus | undefined {
  let content: unknown;
  try {
    content = JSON.parse(body);
  } catch {
    return undefined;
  }
  const { snapshot, proxies } = record(content);
  if (typeof snapshot !== 'number' || !Array.isArray(proxies)) return undefined;
  const acknowledged = new Map<string, number>();
  const rejected = new Map<string, string>();
  for (const entry of proxies) {
    const proxy = record(entry);
    if (typeof proxy['node'] !== 'string') continue;
    if (typeof proxy['acknowledged'] === 'number') acknowledged.set(podOf(proxy['node']), proxy['acknowledged']);
    const refusal = proxy['rejected'];
    if (refusal !== undefined && refusal !== null && !(Array.isArray(refusal) && refusal.length === 0))
      rejected.set(podOf(proxy['node']), JSON.stringify(refusal));
  }
  return { snapshot, acknowledged, rejected };
}

/** Asks the control plane; undefined when it does not answer. */
export function syncStatus(http: string): Promise<SyncStatus | undefined> {
  return new Promise((resolve) => {
    const call = get(`http://${http}/debug/syncz`, { timeout: 2000, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(parseSyncStatus(Buffer.concat(chunks).toString())));
      response.on('error', () => resolve(undefined));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined));
  });
}
