import { onBothEngines } from './both-engines.ts';
import { contractOf } from './contract.ts';

onBothEngines('audit: store on PostgreSQL', contractOf);
