// The journey with openapi-generator's client for java.net.http.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Map;
import org.openapitools.client.ApiClient;
import org.openapitools.client.api.AccessApi;
import org.openapitools.client.api.ProvidersApi;
import org.openapitools.client.api.ReferralsApi;
import org.openapitools.client.model.Resource;
import org.openapitools.client.model.ServiceRequest;

public class ByOpenapiGenerator {
  public static void main(String[] arguments) throws Exception {
    ApiClient client = new ApiClient();
    ObjectMapper mapper = client.getObjectMapper();
    JsonNode told = mapper.readTree(System.in);
    client.updateBaseUri(told.get("base").asText());
    String token =
        new AccessApi(client)
            .requestToken(
                AccessApi.APIRequestTokenRequest.newBuilder()
                    .grantType("client_credentials")
                    .clientId(told.get("client").asText())
                    .clientSecret(told.get("secret").asText())
                    .build())
            .getAccessToken();
    client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
    ReferralsApi referrals = new ReferralsApi(client);
    ServiceRequest made =
        referrals.createReferral(
            ReferralsApi.APICreateReferralRequest.newBuilder()
                .serviceRequest(mapper.treeToValue(told.get("referral"), ServiceRequest.class))
                .build());
    ServiceRequest read =
        referrals.readServiceRequest(
            ReferralsApi.APIReadServiceRequestRequest.newBuilder().id(made.getId()).build());
    String focus = "ServiceRequest/" + made.getId();
    Resource task =
        new ProvidersApi(client)
            .searchTask(
                ProvidersApi.APISearchTaskRequest.newBuilder()
                    .focus(List.of(focus))
                    .count(5)
                    .build())
            .getEntry()
            .get(0)
            .getResource();
    Map<?, ?> about = (Map<?, ?>) task.getAdditionalProperty("focus");
    System.out.println(
        mapper.writeValueAsString(
            Map.of(
                "read", read.getId().equals(made.getId()),
                "contained", read.getContained().stream().map(Resource::getResourceType).toList(),
                "task", focus.equals(about.get("reference")))));
  }
}
