import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.AbstractMongoBackend;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.util.List;
import org.h2.mvstore.MVStore;

/**
 * A server that speaks MongoDB's protocol on the loopback, for tests where there is no mongod: mongo-java-server.
 *
 * <pre>java MongoStandIn PORT         keeps its data in memory
 * java MongoStandIn PORT FILE    keeps them in the file</pre>
 *
 * Prints "ready" when it takes connections. Ends with 1 when it cannot.
 */
public class MongoStandIn {
  public static void main(String[] args) {
    try {
      AbstractMongoBackend backend = args.length > 1 ? new DurableBackend(args[1]) : new MemoryBackend();
      backend.version(new Version());
      new MongoServer(backend).bind("127.0.0.1", Integer.parseInt(args[0]));
      System.out.println("ready");
    } catch (Throwable error) {
      error.printStackTrace();
      System.exit(1); // the threads of a server that did not bind would go on
    }
  }
}

/**
 * One command at a time, in the file before it is answered: a SIGKILL loses nothing that anybody has seen, and leaves no
 * command half done. (H2Backend by itself writes some tenths of a second later.)
 */
class DurableBackend extends H2Backend {
  DurableBackend(String file) {
    super(open(file));
  }

  private static MVStore open(String file) {
    MVStore store = new MVStore.Builder().fileName(file).autoCommitDisabled().open();
    store.setRetentionTime(0); // it would keep what is overwritten for 45 s, against a loss of power: ten times the file
    return store;
  }

  @Override
  public synchronized Document handleMessage(MongoMessage message) {
    Document answer = super.handleMessage(message);
    commit();
    return answer;
  }
}

/** What today's drivers accept. */
class Version implements MongoVersion {
  @Override
  public List<Integer> getVersionArray() {
    return List.of(7, 0, 0);
  }

  @Override
  public int getWireVersion() {
    return 21;
  }
}
