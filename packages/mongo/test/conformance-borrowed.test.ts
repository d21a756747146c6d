/** Every rule again with a client that is borrowed: with its defaults the driver sends some writes again by itself, which must do nothing twice. */
import { borrowedConnection, conformanceOnMongo } from "./harness.ts";

await conformanceOnMongo("a borrowed client of mongo", borrowedConnection);
