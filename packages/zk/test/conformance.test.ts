import { conformanceOnZk } from "./harness.ts";

await conformanceOnZk("zk");
