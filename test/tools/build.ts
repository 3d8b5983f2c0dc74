// node test/tools/build.ts: builds what tests run of other projects, about five minutes with two cores.
import { build, findTool } from './find.ts';

for (const name of ['zlint', 'step-ca', 'helm', 'vault-pki', 'pilot-agent'] as const)
  process.stdout.write(`${findTool(name) ?? build(name)}\n`);
