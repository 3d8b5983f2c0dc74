// node test/tools/build.ts: builds or fetches what tests run of other projects, about five minutes with two cores.
import { build, findTool } from './find.ts';
import { fetchZipkin, findZipkin } from './zipkin.ts';

for (const name of ['zlint', 'h2spec', 'step-ca', 'helm', 'vault-pki', 'pilot-agent'] as const)
  process.stdout.write(`${findTool(name) ?? build(name)}\n`);
const zipkin = findZipkin();
process.stdout.write(`${'jar' in zipkin ? zipkin.jar : fetchZipkin()}\n`);
