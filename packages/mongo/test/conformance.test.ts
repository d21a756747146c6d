/** Every rule of the contract, on a server of MongoDB or what stands in for one. */
import { conformanceOnMongo } from "./harness.ts";

await conformanceOnMongo("mongo");
