import { mergeConfig, type ViteUserConfig } from "vitest/config";
import { shared } from "../../vitest.shared.ts";

const config: ViteUserConfig = mergeConfig(shared, {
  // Tests mostly wait for real time, so more of them at once than there are processors.
  test: {
    name: "zk",
    maxWorkers: 3,
    sequence: { groupOrder: 3 },
    globalSetup: ["../../tools/services/setup-zk.ts"],
  },
});
export default config;
