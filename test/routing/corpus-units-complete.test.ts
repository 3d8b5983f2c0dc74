import { complete } from '../policy/corpora/judged.ts';
import { RUN, THEME } from './corpus-units.ts';
import './corpus-units-clusters.test.ts';
import './corpus-units-names.test.ts';
import './corpus-units-routes.test.ts';
import './corpus-units-sidecar.test.ts';
import './corpus-units-tls.test.ts';
import './corpus-units-traffic.test.ts';
import './delegates.test.ts';

describe('corpus: routing units', () => {
  complete(THEME, RUN);
});
