import { Agent, request } from 'node:https';
import type { ApiClient } from '../../kubernetes/api/client.ts';
import { DEFAULTS } from '../../kubernetes/install/options.ts';
import { injector, validator } from '../../kubernetes/install/webhooks.ts';
import { cpuSeconds } from '../scale/process.ts';
import { namespaceName } from './fill.ts';
import type { Running } from './server.ts';

export interface AdmissionRow {
  readonly work: string;
  readonly cpuSeconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly note: string;
}

const CALLS = 300;

function pod(at: number, labels: Readonly<Record<string, string>>): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `new-${at}`, namespace: namespaceName(at % 10), labels: { app: 'new', ...labels } },
    spec: {
      serviceAccountName: 'app',
      containers: [{ name: 'app', image: 'app', ports: [{ containerPort: 8080 }], readinessProbe: { httpGet: { port: 8080 } } }],
    },
  };
}

const route = (at: number): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'new', namespace: namespaceName(at % 10) },
  spec: { hosts: ['app-1'], http: [{ timeout: '5s', route: [{ destination: { host: 'app-1' } }] }] },
});

/** Pods and VirtualServices that are made for a trial (dry run) through the API server, with the webhooks and without them; and the webhook alone. */
export async function admissions(client: ApiClient, serve: Running): Promise<readonly AdmissionRow[]> {
  // Asked at its address: nobody makes a Service lead there.
  for (const object of [injector(DEFAULTS), validator(DEFAULTS)]) {
    const at = object.kind.startsWith('Mutating') ? 'mutatingwebhookconfigurations' : 'validatingwebhookconfigurations';
    const path = `/apis/admissionregistration.k8s.io/v1/${at}/${object.metadata.name}`;
    const found = JSON.stringify(await client.request({ path }));
    const text = found.replaceAll(
      /"service":\{[^}]*"path":"([^"]*)"[^}]*\}/g,
      `"url":"https://${serve.webhooks.replace(/^[^:]*/, 'localhost')}$1"`,
    );
    const body: unknown = JSON.parse(text);
    await client.request({ method: 'PUT', path, body });
  }
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const pods = (index: number) => `/api/v1/namespaces/${namespaceName(index % 10)}/pods?dryRun=All`;
  const routes = (index: number) =>
    `/apis/networking.istio.io/v1/namespaces/${namespaceName(index % 10)}/virtualservices?dryRun=All`;
  const post = (path: string, body: unknown): Promise<unknown> => client.request({ method: 'POST', path, body });
  const willing = { 'sidecar.istio.io/inject': 'true' };
  const made = await client.request({ method: 'POST', path: pods(0), body: pod(0, willing) });
  if (!JSON.stringify(made).includes('istio-proxy')) throw new Error('the pod was not injected');
  return [
    await measured('a pod without a proxy', serve, 1, (at) => post(pods(at), pod(at, {}))),
    await measured('a pod with a proxy', serve, 1, (at) => post(pods(at), pod(at, willing))),
    await measured('16 pods with proxies at once', serve, 16, (at) => post(pods(at), pod(at, willing))),
    await measured('a VirtualService, judged', serve, 1, (at) => post(routes(at), route(at))),
    ...(await alone(serve)),
  ];
}

async function measured(
  work: string,
  serve: Running,
  atOnce: number,
  call: (at: number) => Promise<unknown>,
): Promise<AdmissionRow> {
  const times: number[] = [];
  const cpu = cpuSeconds(serve.pid);
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < CALLS) {
      const at = next++;
      const began = performance.now();
      await call(at);
      times.push(performance.now() - began);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: atOnce }, caller));
  const perSecond = CALLS / ((performance.now() - began) / 1000);
  times.sort((one, other) => one - other);
  return {
    work,
    cpuSeconds: (cpuSeconds(serve.pid) - cpu) / CALLS,
    p50Ms: times[times.length >> 1] ?? 0,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    note: `${CALLS} calls, ${perSecond.toFixed(0)} a second`,
  };
}

/** Without the API server between. */
async function alone(serve: Running): Promise<readonly AdmissionRow[]> {
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false, maxSockets: 64 });
  const ask = (at: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const body = JSON.stringify({
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        request: {
          uid: String(at),
          operation: 'CREATE',
          kind: { group: '', version: 'v1', kind: 'Pod' },
          namespace: namespaceName(at % 10),
          object: pod(at, { 'sidecar.istio.io/inject': 'true' }),
        },
      });
      const headers = { 'content-type': 'application/json' };
      const call = request(`https://${serve.webhooks}/inject`, { method: 'POST', agent, headers }, (response) => {
        response.resume();
        response.on('end', () =>
          response.statusCode === 200 ? resolve(true) : reject(new Error(`status ${String(response.statusCode)}`)),
        );
        response.on('error', reject);
      });
      call.on('error', reject);
      call.end(body);
    });
  try {
    const rows = [];
    for (const atOnce of [1, 64]) rows.push(await measured(`the webhook alone, ${atOnce} at once`, serve, atOnce, ask));
    return rows;
  } finally {
    agent.destroy();
  }
}
