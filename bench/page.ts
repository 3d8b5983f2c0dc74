// How soon the page shows something, with many workloads: node bench/page.ts [workloads]
import { startChromium } from '../test/browser/chromium.ts';
import { largeMesh } from '../test/browser/large-mesh.ts';
import { rolloutAt, rolloutSource } from '../test/browser/sample-rollouts.ts';
import { startSite } from '../test/browser/site.ts';
import { STAGES } from '../mesh/model/namespace-rollout.ts';

const workloads = Number(process.argv[2] ?? 2_000);
const ROUNDS = 5;

function middle(values: readonly number[]): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0);
}

const { snapshot, edges } = largeMesh(workloads, Date.now(), 3);
const namespaces = [...new Set(snapshot.workloads.map(({ namespace }) => namespace))];
const rollouts = rolloutSource(namespaces.map((name, at) => rolloutAt(name, STAGES[at % 4] ?? 'observe', Date.now())));
const site = await startSite({ snapshot, edges, rollouts });
const browser = await startChromium();
const paints: number[] = [];
const graphs: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const page = await browser.context.newPage();
  await page.goto(site.url);
  await page.waitForSelector('svg.graph [data-id]');
  const { paint, graph } = await page.evaluate(() => ({
    paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
    graph: performance.now(),
  }));
  paints.push(paint);
  graphs.push(graph);
  if (round < ROUNDS - 1) await page.close();
}
const page = browser.context.pages().at(-1);
const frames = await page?.evaluate(async () => {
  const svg = document.querySelector('svg.graph');
  const times: number[] = [];
  let last = performance.now();
  for (let step = 0; step < 60; step++) {
    const { left, top, width, height } = svg?.getBoundingClientRect() ?? new DOMRect();
    svg?.dispatchEvent(
      new WheelEvent('wheel', {
        deltaY: step < 30 ? -60 : 60,
        deltaMode: 0,
        clientX: left + width / 2,
        clientY: top + height / 2,
        cancelable: true,
      }),
    );
    await new Promise((resolve) => requestAnimationFrame(resolve));
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
});
const cpu = async (path: string): Promise<number> => {
  const before = process.cpuUsage();
  const response = await fetch(`${site.url}${path}`, { headers: { 'accept-encoding': 'gzip' } });
  await response.arrayBuffer();
  const { user, system } = process.cpuUsage(before);
  return Math.round((user + system) / 1000);
};
console.log(
  JSON.stringify({
    workloads,
    edges: new Set(edges.map(({ key }) => `${key.sourceWorkload} ${key.destinationWorkload}`)).size,
    firstContentfulPaintMs: middle(paints),
    graphDrawnMs: middle(graphs),
    zoomFrameMs: { middle: middle(frames ?? []), worst: Math.round(Math.max(...(frames ?? [0]))) },
    serverCpuMs: { graph: await cpu('api/graph'), series: await cpu('api/series'), rollouts: await cpu('api/rollouts') },
    complaints: browser.complaints,
  }),
);
await browser.close();
await site.close();
