// Writes a mesh of any size as Kubernetes YAML, to measure with. Usage: node bench/mesh.ts --folder DIR, or --help.
import { parseMeshOptions, meshFlags, MESH_HELP } from './mesh/options.ts';
import { parseArgs } from 'node:util';
import { writeMesh } from './mesh/files.ts';
import { planMesh } from './mesh/plan.ts';

const HELP = `Writes a mesh as Kubernetes YAML: a tenth of the services has a VirtualService over two subsets.

  --folder DIR      where to
${MESH_HELP}
Examples:
  node bench/mesh.ts --folder /tmp/mesh --services 5000 --proxies 200
`;

try {
  const { values } = parseArgs({ options: { folder: { type: 'string' }, help: { type: 'boolean', short: 'h' }, ...meshFlags } });
  if (values.help === true || values.folder === undefined) {
    process.stdout.write(HELP);
    process.exitCode = values.help === true ? 0 : 2;
  } else {
    writeMesh(values.folder, planMesh(parseMeshOptions(values)));
  }
} catch (error) {
  if (!(error instanceof RangeError) && !(error instanceof TypeError && 'code' in error)) throw error;
  process.stderr.write(`bench/mesh.ts: ${error.message} (see --help)\n`);
  process.exitCode = 2;
}
