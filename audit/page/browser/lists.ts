import type { Access, AccessEdge, CertificateSummary, NotGranted, ProxyList, ProxySummary } from '../api/details.ts';
import type { Graph, GraphEdge, GraphNode } from '../api/graph.ts';
import { LOOKS, looksOf } from './appearance.ts';
import { type Child, h } from './dom.ts';
import { ago, milliseconds, number, told } from './format.ts';
import { identity, life, proxyState } from './parts.ts';
import { sample } from './shapes.ts';
import { DataTable } from './table.ts';

/** The views that are tables. */
export function nameOf(id: string): string {
  return id.slice(id.indexOf(':') + 1);
}

export function callsTable(
  nodes: () => ReadonlyMap<string, GraphNode>,
  open: (source: string, target: string) => void,
): DataTable<GraphEdge> {
  const party = (id: string): Child => {
    const node = nodes().get(id);
    return [told(node?.name ?? nameOf(id)), h('span', { class: 'soft' }, ` ${told(node?.namespace ?? '')}`)];
  };
  return new DataTable<GraphEdge>(
    'Who called whom in the time that is shown',
    [
      { title: 'Caller', cell: ({ source }) => party(source), by: ({ source }) => source },
      { title: 'Called', cell: ({ target }) => party(target), by: ({ target }) => target },
      {
        title: 'How',
        cell: (edge) =>
          LOOKS.filter(({ look }) => looksOf(edge).includes(look)).map(({ look, name }) =>
            h('span', { class: 'look' }, sample(look), name),
          ),
        by: (edge) => looksOf(edge).join(),
      },
      { title: 'Protocol', cell: ({ protocols }) => protocols.join(', '), by: ({ protocols }) => protocols.join() },
      { title: 'Calls', cell: ({ calls }) => number(calls), by: ({ calls }) => calls, numeric: true },
      { title: 'Denied', cell: ({ denied }) => number(denied), by: ({ denied }) => denied, numeric: true },
      { title: '5xx', cell: ({ errors }) => number(errors), by: ({ errors }) => errors, numeric: true },
      {
        title: 'Mean latency',
        cell: ({ latencyMs }) => milliseconds(latencyMs.mean),
        by: ({ latencyMs }) => latencyMs.mean,
        numeric: true,
      },
      { title: 'Last seen', cell: ({ lastSeen }) => ago(lastSeen, Date.now()), by: ({ lastSeen }) => lastSeen },
      {
        title: 'Details',
        cell: ({ source, target }) =>
          h(
            'button',
            {
              type: 'button',
              'data-key': `open ${source} ${target}`,
              'aria-label': `Details of ${told(nameOf(source))} to ${told(nameOf(target))}`,
              onclick: () => open(source, target),
            },
            'Details',
          ),
      },
    ],
    ({ source, target }) => `${source} ${target}`,
    { column: 4, down: true },
  );
}

export function certificatesTable(): DataTable<CertificateSummary> {
  return new DataTable<CertificateSummary>(
    'The latest certificate of each identity',
    [
      { title: 'Identity', cell: (one) => identity(one.identity), by: (one) => one.identity },
      { title: 'Validity', cell: (one) => life(one, Date.now()), by: ({ notAfter }) => notAfter },
      { title: 'Until', cell: ({ notAfter }) => new Date(notAfter).toLocaleString(), by: ({ notAfter }) => notAfter },
      { title: 'Issued', cell: ({ issuedAt }) => ago(issuedAt, Date.now()), by: ({ issuedAt }) => issuedAt },
      { title: 'On evidence', cell: ({ evidence }) => told(evidence), by: ({ evidence }) => evidence },
      { title: 'Key', cell: ({ key }) => key, by: ({ key }) => key },
      { title: 'Serial', cell: ({ serial }) => h('code', {}, serial), by: ({ serial }) => serial },
    ],
    ({ serial }) => serial,
    { column: 1, down: false },
  );
}

export function proxiesTable(): DataTable<ProxySummary> {
  return new DataTable<ProxySummary>(
    'Connected proxies',
    [
      { title: 'Pod', cell: ({ pod }) => told(pod), by: ({ pod }) => pod },
      { title: 'Namespace', cell: ({ namespace }) => told(namespace), by: ({ namespace }) => namespace },
      {
        title: 'State',
        cell: (proxy) => [
          proxyState(proxy),
          ...proxy.rejected.map(({ type, name, message, causes }) =>
            h(
              'p',
              { class: 'problem' },
              `${type} ${told(name)}: ${told(message)}${causes.length === 0 ? '' : ` (${causes.map(told).join(', ')})`}`,
            ),
          ),
        ],
        by: ({ state }) => state,
      },
      {
        title: 'Snapshot',
        cell: ({ acknowledged }) => number(acknowledged),
        by: ({ acknowledged }) => acknowledged,
        numeric: true,
      },
      {
        title: 'Waiting',
        cell: ({ waitingSince }) => (waitingSince === null ? '–' : ago(waitingSince, Date.now())),
        by: ({ waitingSince }) => waitingSince ?? '',
      },
      {
        title: 'Identity',
        cell: (one) => (one.identity === null ? 'none proven' : identity(one.identity)),
        by: (one) => one.identity ?? '',
      },
      { title: 'xDS', cell: ({ variant }) => variant, by: ({ variant }) => variant },
      { title: 'Connected', cell: ({ connectedAt }) => ago(connectedAt, Date.now()), by: ({ connectedAt }) => connectedAt },
    ],
    ({ node }) => node,
  );
}

export function proxiesSummary({ proxies, snapshot }: ProxyList): string {
  const behind = proxies.filter(({ state }) => state !== 'synced').length;
  return `${number(proxies.length)} connected, ${behind === 0 ? 'all have' : `${number(proxies.length - behind)} have`} snapshot ${number(snapshot)}.`;
}

export interface AccessTables {
  readonly elements: readonly HTMLElement[];
  show(access: Access, graph: Graph): void;
}

export function accessTables(): AccessTables {
  const ends = [
    { title: 'Caller', cell: ({ source }: AccessEdge) => told(nameOf(source)), by: ({ source }: AccessEdge) => source },
    { title: 'Called', cell: ({ target }: AccessEdge) => told(nameOf(target)), by: ({ target }: AccessEdge) => target },
  ];
  const key = ({ source, target }: AccessEdge): string => `${source} ${target}`;
  const unused = new DataTable<AccessEdge>('Granted, and not used in the time that is shown', ends, key);
  const notGranted = new DataTable<NotGranted>(
    'Used in the time that is shown, and not granted by the policies of now',
    [
      ...ends,
      { title: 'Calls', cell: ({ calls }) => number(calls), by: ({ calls }) => calls, numeric: true },
      { title: 'Why not', cell: ({ reason }) => told(reason), by: ({ reason }) => reason },
    ],
    key,
  );
  const open = new DataTable<string>(
    'Open to whatever can reach them: no ALLOW policy applies',
    [{ title: 'Workload', cell: (id) => told(nameOf(id)), by: (id) => id }],
    (id) => id,
  );
  const part = (title: string, text: string, table: HTMLElement): HTMLElement =>
    h('section', {}, h('h2', {}, title), h('p', { class: 'soft' }, text), table);
  return {
    elements: [
      part('Used, but not granted', 'These calls were let through; the policies of now would refuse them.', notGranted.element),
      part(
        'Granted, but unused',
        'An ALLOW rule names the caller for some request, and no call was seen. Candidates for removal.',
        unused.element,
      ),
      part('Open', 'No ALLOW policy says who may call them.', open.element),
    ],
    show(access) {
      notGranted.show(access.notGranted);
      unused.show(access.unused);
      open.show(access.open);
    },
  };
}
