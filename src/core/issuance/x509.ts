// tsyringe, which @peculiar/x509 stands on, refuses to load before this.
import 'reflect-metadata';

import * as x509 from '@peculiar/x509';

export { x509 };
