import type { CallerAccess, WorkloadDetails } from '../api/details.ts';
import type { Graph, GraphEdge, GraphNode } from '../api/graph.ts';
import { h } from './dom.ts';
import { counted, number, short, told } from './format.ts';
import { certificate, facts, identity, proxyState, section, tag } from './parts.ts';

function access({ caller, may, calls, denied }: CallerAccess): HTMLElement {
  const shown = caller.startsWith('spiffe://') ? identity(caller) : told(caller);
  const allowed = may === 'open' ? tag('warn', 'nothing forbids it') : may === 'yes' ? tag('good', 'may') : tag('bad', 'may not');
  const did =
    calls === 0 ? tag('calm', 'did not') : tag(denied === calls ? 'bad' : 'good', denied === calls ? 'was denied' : 'did');
  return h('tr', {}, h('td', {}, shown), h('td', {}, allowed), h('td', {}, did), h('td', { class: 'number' }, number(calls)));
}

function around(
  title: string,
  edges: readonly GraphEdge[],
  end: 'source' | 'target',
  open: (source: string, target: string) => void,
): HTMLElement | false {
  if (edges.length === 0) return false;
  return section(
    title,
    h(
      'ul',
      { class: 'plain edges' },
      edges
        .toSorted((a, b) => b.calls - a.calls)
        .slice(0, 100)
        .map((edge) =>
          h(
            'li',
            {},
            h(
              'button',
              {
                type: 'button',
                class: 'row',
                'data-key': `edge ${edge.source} ${edge.target}`,
                onclick: () => open(edge.source, edge.target),
              },
              h('span', {}, told(edge[end].slice(edge[end].indexOf(':') + 1))),
              edge.denied > 0 && tag('bad', `${short(edge.denied)} denied`),
              edge.plain > 0 && tag('warn', 'plain text'),
              h('span', { class: 'number' }, short(edge.calls)),
            ),
          ),
        ),
    ),
  );
}

/** What is seen of any node: whom it calls and who calls it. */
export function callsOf(
  id: string,
  graph: Graph,
  open: (source: string, target: string) => void,
): readonly (HTMLElement | false)[] {
  return [
    around(
      'Called by',
      graph.edges.filter(({ target }) => target === id),
      'source',
      open,
    ),
    around(
      'Calls',
      graph.edges.filter(({ source }) => source === id),
      'target',
      open,
    ),
  ];
}

export function nodePanel(
  node: GraphNode,
  graph: Graph,
  open: (source: string, target: string) => void,
): readonly (HTMLElement | false)[] {
  const kinds = {
    workload: 'Workload',
    identity: 'Identity without a workload that is known',
    service: 'Service that no call reached',
    outside: 'Callers that showed no certificate',
  };
  return [h('p', { class: 'soft' }, `${kinds[node.kind]} in ${told(node.namespace)}`), ...callsOf(node.id, graph, open)];
}

export function workloadPanel(
  details: WorkloadDetails,
  graph: Graph,
  open: (source: string, target: string) => void,
  now: number,
): readonly (HTMLElement | false)[] {
  const { namespace, labels, image, mtls, policies, proxies, instances, certificates, callers } = details;
  return [
    facts([
      ['Namespace', told(namespace)],
      ['Identity', identity(details.identity)],
      ['Mutual TLS', `${mtls.mode}${mtls.setBy === null ? ' by default' : ` by ${mtls.setBy}`}`],
      ['Image', image === null ? 'none' : told(image)],
      ['Labels', Object.entries(labels).map(([name, value]) => h('code', { class: 'label' }, `${told(name)}=${told(value)}`))],
    ]),
    section(
      'Who may call it, and who did',
      callers.length === 0
        ? h('p', {}, 'Nobody is named by a policy, and nobody called.')
        : h(
            'table',
            {},
            h(
              'thead',
              {},
              h(
                'tr',
                {},
                ['Caller', 'May', 'Did', 'Calls'].map((title) => h('th', { scope: 'col' }, title)),
              ),
            ),
            h('tbody', {}, callers.map(access)),
          ),
    ),
    section(
      'Policies',
      policies.length === 0
        ? h('p', {}, 'No AuthorizationPolicy applies: what can reach it may call it.')
        : h(
            'ul',
            { class: 'plain' },
            policies.map(({ policy, action, dryRun }) =>
              h('li', {}, h('code', {}, policy), ` ${action}${dryRun ? ' (dry run)' : ''}`),
            ),
          ),
    ),
    section(
      'Proxies',
      proxies.length === 0
        ? h('p', {}, 'None is connected.')
        : h(
            'ul',
            { class: 'plain' },
            proxies.map((proxy) => h('li', {}, told(proxy.pod), ' ', proxyState(proxy))),
          ),
      h(
        'p',
        { class: 'soft' },
        `${counted(instances.length, 'instance')}: ${instances.map(({ name, address, ready }) => `${told(name)} ${address}${ready ? '' : ' (not ready)'}`).join(', ')}`,
      ),
    ),
    section(
      'Certificate',
      certificates.length === 0 ? h('p', {}, 'None is known here.') : certificates.map((one) => certificate(one, now)),
    ),
    ...callsOf(details.id, graph, open),
  ];
}
