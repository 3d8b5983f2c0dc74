import type { Graph } from '../api/graph.ts';
import { addCounts, NO_CALLS } from '../shared/counts.ts';
import { h } from './dom.ts';
import { clockTime, counted, number, short } from './format.ts';

/** The line above all views: what is shown in numbers, and what is not known of it. */
export class Summary {
  readonly facts = h('dl', { class: 'summary' });
  readonly message = h('p', { class: 'message', role: 'status' });

  problem(text: string): void {
    this.message.textContent = text;
    this.message.classList.add('problem');
  }

  /** @param left edges that there is no room to draw */
  show(graph: Graph, edges: Graph['edges'], left: number): void {
    const totals = edges.length === graph.edges.length ? graph.totals : edges.reduce(addCounts, NO_CALLS);
    const fact = (name: string, value: string, kind = ''): HTMLElement =>
      h('div', { class: kind }, h('dt', {}, name), h('dd', {}, value));
    this.facts.replaceChildren(
      fact('Calls', short(totals.calls)),
      fact('Denied', short(totals.denied), totals.denied > 0 ? 'bad' : ''),
      fact('Would be denied', short(totals.wouldBeDenied), totals.wouldBeDenied > 0 ? 'warn' : ''),
      fact('Plain text', short(totals.plain), totals.plain > 0 ? 'warn' : ''),
      fact('Never arrived', short(totals.unreached)),
      fact('Edges', number(edges.length)),
      fact('Workloads', number(graph.nodes.filter(({ kind }) => kind === 'workload').length)),
    );
    const { lost, gaps } = graph.missing;
    const [from, to] = [Date.parse(graph.period.since), Date.parse(graph.period.until)];
    const notes = [
      lost > 0 ? `${counted(lost, 'record')} lost` : '',
      gaps.length > 0
        ? `nothing recorded ${gaps
            .slice(0, 2)
            .map(
              ({ since, until }) =>
                `from ${clockTime(Math.max(from, Date.parse(since)))} to ${clockTime(Math.min(to, Date.parse(until)))}`,
            )
            .join(' and ')}`
        : '',
      graph.omittedEdges > 0 ? `${counted(graph.omittedEdges, 'edge')} left out` : '',
      left > 0 ? `${counted(left, 'edge')} not drawn: zoom in or filter` : '',
    ].filter((text) => text !== '');
    const text = notes.join('; ');
    this.message.classList.remove('problem');
    if (this.message.textContent !== text) this.message.textContent = text;
  }
}
