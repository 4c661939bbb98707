/** `node knock.ts [UID] JSON`: knocks at doors, as that user where one is said; prints the answers as JSON. */
import { knock, type Door } from '../knock.ts';

const [doors = '[]', uid] = process.argv.slice(2).toReversed();
if (uid !== undefined) process.setuid?.(Number(uid));
console.log(JSON.stringify(await knock(JSON.parse(doors) as readonly Door[])));
